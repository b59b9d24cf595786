using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Coherency.Daemon.Admin;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Admin.Services;
using Coherency.Daemon.Attaching;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Hosting.Web;
using Coherency.Daemon.Instances;
using Coherency.Daemon.Reports;
using Coherency.Daemon.Telemetry;
using Coherency.Host.Passthrough;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Commands;

/// <summary>Runs <c>serve</c> until SIGTERM or SIGINT: one host for the guests, the administration, the dashboard and telemetry.</summary>
internal static partial class ServeHost
{
    /// <exception cref="UsageException">A share, a socket or an address cannot be used.</exception>
    public static async Task<int> RunAsync(ServeConfiguration asked, LogSettings logging, CancellationToken cancellation)
    {
        using ServePlaces places = ServePlaces.Take(asked);
        ServeConfiguration configuration = places.Configuration;
        AdminAddresses addresses = places.Administration;
        await using WebApplication host = Build(configuration, places, logging, TelemetrySettings.Read(Environment.GetEnvironmentVariable));
        using PosixSignalRegistration hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            // It may take as long as a guest's slowest request, and other signals come by the same thread.
            _ = Task.Factory.StartNew(() => Reload(host.Services), TaskCreationOptions.LongRunning);
        });
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
        else if (places.Instance is null)
        {
            LogWithoutInstance(log, places.WithoutInstanceBecause);
        }

        if (addresses.Any)
        {
            LogListening(log, addresses);
        }

        foreach (string line in VmmArguments.Describe(configuration))
        {
            Console.Out.WriteLine(line);
        }

        Console.Out.WriteLine("ready");
        await host.WaitForShutdownAsync(cancellation).ConfigureAwait(false);
        return ExitCodes.Success;
    }

    /// <summary>Tells who has sent the signal by the log, and systemd as sd_notify(3) says.</summary>
    private static void Reload(IServiceProvider services)
    {
        ILogger log = services.GetRequiredService<ILoggerFactory>().CreateLogger("coherencyd");
        ISystemdNotifier? systemd = services.GetService<ISystemdNotifier>();
        long now = Stopwatch.GetElapsedTime(0).Ticks / TimeSpan.TicksPerMicrosecond;
        systemd?.Notify(new ServiceState(string.Create(CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={now}")));
        try
        {
            (IReadOnlyList<string> added, IReadOnlyList<string> removed) = services.GetRequiredService<LiveConfiguration>().Reload();
            string come = string.Join(", ", added), gone = string.Join(", ", removed);
            LogReloaded(log, come, gone);
        }
        catch (Exception refused) when (refused is UsageException or ShareException or IOException or UnauthorizedAccessException)
        {
            LogNotReloaded(log, refused.Message);
        }
        finally
        {
            systemd?.Notify(ServiceState.Ready);
        }
    }

    /// <summary>
    /// Everything that <c>serve</c> runs, not started. Guests are served from the start on, before anybody can ask about them.
    /// </summary>
    /// <exception cref="UsageException">An address makes no sense.</exception>
    internal static WebApplication Build(
        ServeConfiguration configuration, ServePlaces places, LogSettings logging, TelemetrySettings telemetry)
    {
        AdminAddresses addresses = places.Administration;
        ListeningPlace? dashboard = ListeningPlace.Of(
            configuration.Dashboard, DashboardAddress.Option, places.Activated.Dashboard, DashboardAddress.Parse);
        ListeningPlace? metrics = ListeningPlace.Of(
            configuration.Metrics, TelemetryHosting.MetricsOption, places.Activated.Metrics,
            text => ListenAddress.Parse(text, TelemetryHosting.MetricsOption));
        WebApplicationBuilder builder = WebServer.CreateBuilder();
        // Exporters read from here what the environment says to them.
        builder.Configuration.AddEnvironmentVariables();
        builder.Services.AddSystemd();
        logging.Apply(builder.Logging);
        builder.Services.AddSingleton(services => new GuestServer(configuration, services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddSingleton(services => new LiveConfiguration(
            configuration, services.GetRequiredService<GuestServer>(), places.Kept, services.GetService<ExpectedTables>() is { } tables
                ? tables.Expect
                : null));
        builder.Services.AddHostedService<GuestService>();
        if (configuration.Attach is not null)
        {
            builder.Services.AddSingleton(new ExpectedTables(places.Instance!.Path));
            builder.Services.AddHostedService(services => new AttachService(
                services.GetRequiredService<ExpectedTables>(), configuration.Expect, places.Activated.Attach,
                services.GetRequiredService<GuestServer>(), services.GetRequiredService<ILoggerFactory>()));
        }

        if (places.Instance is { } instance)
        {
            builder.Services.AddHostedService(services => new InstanceAnnouncement(
                instance, addresses.Socket?.LocalEndPoint?.ToString(), configuration.Attach is not null,
                services.GetRequiredService<GuestServer>(), services.GetRequiredService<ILoggerFactory>()));
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

    [LoggerMessage(Level = LogLevel.Information, Message = "The configuration was read again: added [{Added}], removed [{Removed}]")]
    private static partial void LogReloaded(ILogger log, string added, string removed);

    [LoggerMessage(Level = LogLevel.Error, Message = "The configuration was read again: {Problem}")]
    private static partial void LogNotReloaded(ILogger log, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No administration: {Why}; give --admin-socket PATH to have it, or --no-admin")]
    private static partial void LogWithout(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Not found by 'coherencyd list', nor by a name: {Why}")]
    private static partial void LogWithoutInstance(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Administration listens on {Addresses}")]
    private static partial void LogListening(ILogger log, AdminAddresses addresses);
}
