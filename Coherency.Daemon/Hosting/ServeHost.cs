using System.Net.Sockets;
using Coherency.Daemon.Admin;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Reports;
using Coherency.Daemon.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Runs <c>serve</c> until SIGTERM or SIGINT.</summary>
internal static partial class ServeHost
{
    /// <exception cref="UsageException">A share or a socket cannot be used.</exception>
    public static async Task<int> RunAsync(ServeConfiguration configuration, LogSettings logging, CancellationToken cancellation)
    {
        // The default builder watches the working directory for settings; a daemon has none there.
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        logging.Apply(builder.Logging);
        TelemetrySettings settings = TelemetrySettings.FromEnvironment();
        builder.AddTelemetry(settings);
        using IHost host = builder.Build();
        ILoggerFactory loggers = host.Services.GetRequiredService<ILoggerFactory>();
        AdminAddresses addresses = AdminAddresses.Of(configuration.Admin);
        using GuestServer server = new(configuration, loggers);
        using DaemonTelemetry telemetry = new(server, settings);
        using DaemonReports reports = new(server);
        await using DashboardServer? dashboard = await StartDashboardAsync(configuration.Dashboard, reports, logging, cancellation).ConfigureAwait(false);
        IEnumerable<ServerServiceDefinition> services = AdminServices.Of(reports, host.Services.GetRequiredService<LogLevels>(), dashboard?.Address);
        await using AdminServer? admin = await AdminServer.StartAsync(addresses, services, telemetry.Prometheus, loggers).ConfigureAwait(false);
        await host.StartAsync(cancellation).ConfigureAwait(false);
        foreach (string line in QemuArguments.Describe(configuration))
        {
            Console.Out.WriteLine(line);
        }

        Console.Out.WriteLine("ready");
        SystemdNotifier.Notify("READY=1");
        await host.WaitForShutdownAsync(cancellation).ConfigureAwait(false);
        SystemdNotifier.Notify("STOPPING=1");
        long requests = server.Endpoints.Sum(endpoint => endpoint.Session.Counters.Total);
        ILogger log = loggers.CreateLogger("coherencyd");
        LogStopping(log, requests);
        return CommandLine.Success;
    }

    private static async Task<DashboardServer?> StartDashboardAsync(
        string? address, DaemonReports reports, LogSettings logging, CancellationToken cancellation)
    {
        if (address is null)
        {
            return null;
        }

        try
        {
            RequestHistory history = new(TimeProvider.System);
            return await DashboardServer.StartAsync(
                DashboardAddress.Parse(address), new DaemonDashboardData(reports), history, logging, cancellation).ConfigureAwait(false);
        }
        catch (Exception unusable) when (unusable is IOException or SocketException)
        {
            throw new UsageException($"--dashboard {address}: {unusable.Message}");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping after {Requests} requests")]
    private static partial void LogStopping(ILogger log, long requests);
}
