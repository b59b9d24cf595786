using Coherency.Daemon.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Coherency.Daemon.Hosting;

/// <summary>Runs <c>mount</c> until SIGTERM, SIGINT, or somebody unmounts.</summary>
internal static class MountHost
{
    /// <exception cref="UsageException">The share or the mount point cannot be used.</exception>
    public static async Task<int> RunAsync(
        ShareConfiguration configuration, string mountPoint, int threads, LogSettings logging, CancellationToken cancellation)
    {
        // The default builder watches the working directory for settings; a daemon has none there.
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSystemd();
        logging.Apply(builder.Logging);
        builder.Services.AddSingleton(new MountOptions(configuration, mountPoint, threads));
        builder.Services.AddHostedService<MountService>();
        using IHost host = builder.Build();
        IHostApplicationLifetime lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        try
        {
            await host.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // A signal came before everything was there.
            return ExitCodes.Success;
        }

        Console.Out.WriteLine("ready");
        await host.WaitForShutdownAsync(cancellation).ConfigureAwait(false);
        return ExitCodes.Success;
    }
}
