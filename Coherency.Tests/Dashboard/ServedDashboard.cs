using System.Net;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting.Web;
using Coherency.Daemon.Reports;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Tests.Dashboard;

/// <summary>A dashboard of a made-up daemon on a free port; it can end and start again on the same one.</summary>
internal sealed class ServedDashboard : IAsyncDisposable
{
    private readonly RequestHistory _history;
    private WebApplication? _server;

    private ServedDashboard(ScriptedData data, RequestHistory history)
    {
        Data = data;
        _history = history;
    }

    public ScriptedData Data { get; }

    /// <summary>With the token.</summary>
    public Uri Address => _server!.Services.GetRequiredService<DashboardAccess>().Address;

    public Uri Origin => new(Address.GetLeftPart(UriPartial.Authority));

    public static Task<ServedDashboard> StartAsync() => StartAsync(new ScriptedData(), new RequestHistory(TimeProvider.System));

    public static async Task<ServedDashboard> StartAsync(ScriptedData data, RequestHistory history, int port = 0)
    {
        ServedDashboard served = new(data, history);
        await served.ListenAsync(port);
        return served;
    }

    public ValueTask StopAsync() => _server!.DisposeAsync();

    /// <summary>After <see cref="StopAsync"/>: as a daemon that was started again, with another token.</summary>
    public Task RestartAsync(int port) => ListenAsync(port);

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    private async Task ListenAsync(int port)
    {
        WebApplicationBuilder builder = WebServer.CreateBuilder();
        builder.Services.AddSingleton<IDaemonState>(Data);
        builder.Services.AddSingleton(_history);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddHostedService<HistorySampler>();
        builder.AddDashboard(ListeningPlace.Of($"{port}", DashboardAddress.Option, activated: null, DashboardAddress.Parse)!);
        _server = builder.Build();
        _server.UseListeners();
        _server.MapDashboard();
        await _server.StartAsync();
    }
}
