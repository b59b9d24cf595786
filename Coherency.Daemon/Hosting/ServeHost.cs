using Coherency.Daemon.Admin;
using Coherency.Daemon.Admin.Listening;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
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
        using IHost host = builder.Build();
        ILoggerFactory loggers = host.Services.GetRequiredService<ILoggerFactory>();
        AdminAddresses addresses = AdminAddresses.Of(configuration.Admin);
        using GuestServer server = new(configuration, loggers);
        LogLevels levels = host.Services.GetRequiredService<LogLevels>();
        await using AdminServer? admin = await AdminServer.StartAsync(addresses, server, levels, loggers).ConfigureAwait(false);
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

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping after {Requests} requests")]
    private static partial void LogStopping(ILogger log, long requests);
}
