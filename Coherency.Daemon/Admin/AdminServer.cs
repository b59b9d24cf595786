using System.Net.Sockets;
using System.Security.Authentication;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Grpc.Server;
using Coherency.Daemon.Telemetry.Prometheus;
using Coherency.Host.Passthrough;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Admin;

/// <summary>Listens for administration while it exists. It shares nothing with the threads that serve guests.</summary>
internal sealed partial class AdminServer : IAsyncDisposable
{
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);

    private readonly WebApplication _web;
    private readonly CancellationTokenSource _stopping;

    private AdminServer(WebApplication web, CancellationTokenSource stopping)
    {
        _web = web;
        _stopping = stopping;
    }

    /// <returns>Null when there is nothing to listen on.</returns>
    /// <exception cref="UsageException">An address cannot be used.</exception>
    public static async Task<AdminServer?> StartAsync(AdminAddresses addresses, IEnumerable<ServerServiceDefinition> services, PrometheusEndpoint metrics, ILoggerFactory loggers)
    {
        ILogger log = loggers.CreateLogger("coherencyd.admin");
        if (addresses.WithoutSocketBecause is { } why)
        {
            LogWithout(log, why);
        }

        if (!addresses.Any)
        {
            return null;
        }

        WebApplication web = Build(addresses, loggers);
        CancellationTokenSource stopping = new();
        AdminServer server = new(web, stopping);
        web.MapServices(new CallServer(new CallLimits(), log, stopping.Token), services);
        metrics.MapTo(web);
        try
        {
            await web.StartAsync().ConfigureAwait(false);
        }
        catch (Exception unusable) when (unusable is IOException or SocketException)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            if (!addresses.IsOptional)
            {
                throw new UsageException($"cannot listen for administration at {addresses}: {unusable.Message}");
            }

            // Another daemon took the usual place a moment ago.
            LogWithout(log, unusable.Message);
            return null;
        }

        LogListening(log, addresses);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        // Streams end now, rather than when their clients have had enough.
        await _stopping.CancelAsync().ConfigureAwait(false);
        using (CancellationTokenSource patience = new(StopPatience))
        {
            await _web.StopAsync(patience.Token).ConfigureAwait(false);
        }

        await _web.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    /// <summary>A web server that listens there, once it is started, and has nothing to show yet.</summary>
    internal static WebApplication Build(AdminAddresses addresses, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<SocketTransportOptions>(options => options.CreateBoundListenSocket = endPoint =>
            endPoint is UnixDomainSocketEndPoint unix ? AdminSocket.Bind(unix) : SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            AdminLimits.Apply(options.Limits);
            options.AddServerHeader = false;
            Listen(options, addresses);
        });
        WebApplication web = builder.Build();
        web.UseRouting();
        return web;
    }

    private static void Listen(KestrelServerOptions options, AdminAddresses addresses)
    {
        if (addresses.Socket is { } path)
        {
            options.ListenUnixSocket(path, listen =>
            {
                listen.Use(TakeDescriptor);
                listen.Protocols = HttpProtocols.Http2;
            });
        }

        if (addresses.Network is { } network)
        {
            options.Listen(network.EndPoint, listen =>
            {
                listen.Use(new ConnectionLimit(AdminLimits.NetworkConnectionsMax).Apply);
                listen.Use(TakeDescriptor);
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(ToHttps(network));
            });
        }
    }

    private static HttpsConnectionAdapterOptions ToHttps(TlsListener network) => new()
    {
        ServerCertificate = network.Certificate,
        ServerCertificateChain = network.Chain,
        SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        HandshakeTimeout = AdminLimits.HandshakeTimeout,
        ClientCertificateMode = ClientCertificateMode.RequireCertificate,
        ClientCertificateValidation = (certificate, sent, _) => network.IsClient(certificate, sent),
    };

    /// <summary>A connection's descriptor comes out of the same budget as the guests', which must not be overdrawn.</summary>
    private static ConnectionDelegate TakeDescriptor(ConnectionDelegate next) => async connection =>
    {
        if (!DescriptorBudget.Process.TryTake())
        {
            connection.Abort();
            return;
        }

        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            DescriptorBudget.Process.Return();
        }
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "No administration: {Why}; give --admin-socket PATH to have it, or --no-admin")]
    private static partial void LogWithout(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Administration listens on {Addresses}")]
    private static partial void LogListening(ILogger log, AdminAddresses addresses);
}
