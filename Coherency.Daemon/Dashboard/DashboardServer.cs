using System.Net;
using Coherency.Daemon.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Daemon.Dashboard;

/// <summary>Serves the dashboard on a loopback address, from <see cref="StartAsync"/> until it is disposed of.</summary>
internal sealed class DashboardServer : IAsyncDisposable
{
    /// <summary>A page has six at most.</summary>
    private const int ConnectionsMax = 128;

    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    private readonly WebApplication _application;
    private readonly DashboardAccess _access;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _sampling;

    private DashboardServer(WebApplication application, DashboardAccess access, IDashboardData data, RequestHistory history)
    {
        _application = application;
        _access = access;
        _sampling = history.RunAsync(data, _stopping.Token);
    }

    /// <summary>The address that lets a browser in, with a token: only for those who may use the admin socket.</summary>
    public Uri Address => _access.AddressAt(new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()));

    /// <param name="address">Of <see cref="DashboardAddress.Parse"/>.</param>
    /// <param name="history">What the charts begin with; the server goes on with it.</param>
    /// <exception cref="IOException">The port is in use.</exception>
    public static async Task<DashboardServer> StartAsync(IPEndPoint address, IDashboardData data, RequestHistory history, LogSettings logging, CancellationToken cancellation)
    {
        // The other builders read settings from the working directory.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        logging.Apply(builder.Logging);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Configure(options, address));
        builder.Services.AddRoutingCore();
        WebApplication application = builder.Build();
        DashboardAccess access = new();
        DashboardAssets assets = new();
        application.UseRouting();
        application.Use(new DashboardGuard(access, assets).InvokeAsync);
        DashboardEndpoints.Map(application, data, history, access, assets);
        try
        {
            await application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return new DashboardServer(application, access, data, history);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _sampling.ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private static void Configure(KestrelServerOptions options, IPEndPoint address)
    {
        options.AddServerHeader = false;
        options.Limits.MaxConcurrentConnections = ConnectionsMax;
        options.Limits.MaxRequestBodySize = 0;
        options.Limits.RequestHeadersTimeout = HeadersTimeout;
        options.Listen(address, listener => listener.Protocols = HttpProtocols.Http1);
    }
}
