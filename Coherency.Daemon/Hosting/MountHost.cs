using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.FuseDevice;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Runs <c>mount</c> until SIGTERM, SIGINT, or somebody unmounts.</summary>
internal static class MountHost
{
    /// <exception cref="UsageException">The share or the mount point cannot be used.</exception>
    public static async Task<int> RunAsync(ShareConfiguration configuration, string mountPoint, int threads, LogSettings logging, CancellationToken cancellation)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        logging.Apply(builder.Logging);
        using IHost host = builder.Build();
        ILogger log = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("coherencyd.mount");
        using PassthroughShare share = new(configuration.ToPassthroughOptions());
        using LockWaitQueue lockWaits = new();
        FuseSession session = new(() => ShareAccess.Open(share, configuration.Readonly), configuration.ToSessionOptions(), lockWaits, log);
        using FuseDeviceServer server = HostMount.Start(configuration.SharedDir, mountPoint, session, threads, log);
        await host.StartAsync(cancellation).ConfigureAwait(false);
        Console.Out.WriteLine("ready");
        SystemdNotifier.Notify("READY=1");
        await Task.WhenAny(server.Unmounted, host.WaitForShutdownAsync(cancellation)).ConfigureAwait(false);
        SystemdNotifier.Notify("STOPPING=1");
        return CommandLine.Success;
    }
}
