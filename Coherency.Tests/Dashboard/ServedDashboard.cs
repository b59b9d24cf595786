using System.Net;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Tests.Dashboard;

/// <summary>A dashboard of a made-up daemon on a free port; it can end and start again on the same one.</summary>
internal sealed class ServedDashboard : IAsyncDisposable
{
    private static readonly LogSettings Quiet = new(LogLevel.Warning, LogFormat.Text);

    private readonly RequestHistory _history;
    private DashboardServer? _server;

    private ServedDashboard(ScriptedData data, RequestHistory history)
    {
        Data = data;
        _history = history;
    }

    public ScriptedData Data { get; }

    /// <summary>With the token.</summary>
    public Uri Address => _server!.Address;

    public Uri Origin => new(Address.GetLeftPart(UriPartial.Authority));

    public static Task<ServedDashboard> StartAsync() => StartAsync(new ScriptedData(), new RequestHistory(TimeProvider.System));

    public static async Task<ServedDashboard> StartAsync(ScriptedData data, RequestHistory history)
    {
        ServedDashboard served = new(data, history);
        await served.ListenAsync(0);
        return served;
    }

    public ValueTask StopAsync() => _server!.DisposeAsync();

    /// <summary>After <see cref="StopAsync"/>: as a daemon that was started again, with another token.</summary>
    public Task RestartAsync(int port) => ListenAsync(port);

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    private async Task ListenAsync(int port) =>
        _server = await DashboardServer.StartAsync(new IPEndPoint(IPAddress.Loopback, port), Data, _history, Quiet, CancellationToken.None);
}
