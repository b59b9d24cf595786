using System.Net;
using Coherency.Daemon.Admin;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Admin.Services;
using Coherency.Daemon.Attaching;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Hosting.Web;
using Coherency.Daemon.Reports;
using Coherency.Daemon.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Commands;

/// <summary>Runs <c>serve</c> until SIGTERM or SIGINT: one host for the guests, the administration, the dashboard and telemetry.</summary>
internal static partial class ServeHost
{
    /// <exception cref="UsageException">A share, a socket or an address cannot be used.</exception>
    public static async Task<int> RunAsync(ServeConfiguration configuration, LogSettings logging, CancellationToken cancellation)
    {
        using AdminAddresses addresses = AdminAddresses.Of(configuration.Admin);
        await using WebApplication host = Build(
            configuration, addresses, logging, TelemetrySettings.Read(Environment.GetEnvironmentVariable));
        try
        {
            await host.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (host.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // A signal came before everything was there.
            return ExitCodes.Success;
        }

        ILogger log = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("coherencyd.admin");
        if (addresses.WithoutSocketBecause is { } why)
        {
            LogWithout(log, why);
        }

        if (addresses.Any)
        {
            LogListening(log, addresses);
        }

        foreach (string line in QemuArguments.Describe(configuration))
        {
            Console.Out.WriteLine(line);
        }

        Console.Out.WriteLine("ready");
        await host.WaitForShutdownAsync(cancellation).ConfigureAwait(false);
        return ExitCodes.Success;
    }

    /// <summary>
    /// Everything that <c>serve</c> runs, not started. Guests are served from the start on, before anybody can ask about them.
    /// </summary>
    /// <exception cref="UsageException">An address makes no sense.</exception>
    internal static WebApplication Build(
        ServeConfiguration configuration, AdminAddresses addresses, LogSettings logging, TelemetrySettings telemetry)
    {
        IPEndPoint? dashboard = configuration.Dashboard is { } port ? DashboardAddress.Parse(port) : null;
        IPEndPoint? metrics = configuration.Metrics is { } place ? ListenAddress.Parse(place, TelemetryHosting.MetricsOption) : null;
        WebApplicationBuilder builder = WebServer.CreateBuilder();
        // Exporters read from here what the environment says to them.
        builder.Configuration.AddEnvironmentVariables();
        builder.Services.AddSystemd();
        logging.Apply(builder.Logging);
        builder.Services.AddSingleton(services => new GuestServer(configuration, services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddHostedService<GuestService>();
        if (configuration.Attach is { } instance)
        {
            builder.Services.AddHostedService(services => new AttachService(
                instance, services.GetRequiredService<GuestServer>(), services.GetRequiredService<ILoggerFactory>()));
        }

        builder.AddTelemetry(telemetry, configuration.Shares.Sum(share => share.Guests.Count + share.Mounts.Count));
        if (addresses.Any)
        {
            builder.AddAdministration(addresses, new AdminLimits());
            builder.Services.AddSingleton<AdminService>();
            builder.Services.AddSingleton<HealthService>();
            builder.Services.AddHostedService<HealthWatch>();
        }

        if (dashboard is not null)
        {
            builder.AddDashboard(dashboard);
        }

        if (addresses.Any || dashboard is not null)
        {
            builder.AddReports();
        }

        if (metrics is not null)
        {
            builder.AddMetricsListener(metrics);
        }

        WebApplication host = builder.Build();
        Map(host, addresses.Any, dashboard is not null);
        return host;
    }

    private static void Map(WebApplication host, bool hasAdministration, bool hasDashboard)
    {
        host.UseListeners();
        if (hasDashboard)
        {
            host.MapDashboard();
        }

        if (hasAdministration)
        {
            IEndpointRouteBuilder calls = host.UseAdministration();
            calls.MapGrpcService<AdminService>();
            calls.MapGrpcService<HealthService>();
        }

        host.MapMetrics();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "No administration: {Why}; give --admin-socket PATH to have it, or --no-admin")]
    private static partial void LogWithout(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Administration listens on {Addresses}")]
    private static partial void LogListening(ILogger log, AdminAddresses addresses);
}
