using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Translation;
using Coherency.Host.Transports.FuseDevice;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>What <c>mount</c> was asked for.</summary>
internal sealed record MountOptions(ShareConfiguration Share, string MountPoint, int Threads);

/// <summary>A share that is mounted while the host runs; when somebody unmounts it, the host stops.</summary>
internal sealed class MountService(MountOptions options, ILoggerFactory loggers, IHostApplicationLifetime lifetime)
    : IHostedService, IDisposable
{
    private readonly LockWaits _lockWaits = new();
    private PassthroughShare? _share;
    private FuseDeviceServer? _server;

    /// <exception cref="Commands.UsageException">The share or the mount point cannot be used.</exception>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        ILogger log = loggers.CreateLogger("coherencyd.mount");
        PassthroughShare share = _share = new PassthroughShare(options.Share.ToPassthroughOptions());
        ClientTranslation translation = options.Share.ToTranslation();
        FuseSession session = new(OpenFileSystem, options.Share.ToSessionOptions(), _lockWaits, log);
        _server = HostMount.Start(options.Share.SharedDir, options.MountPoint, session, options.Threads, log);
        _server.Unmounted.ContinueWith(_ => lifetime.StopApplication(), TaskScheduler.Default);
        return Task.CompletedTask;

        IFileSystem OpenFileSystem() => ShareAccess.Restrict(share.OpenSession(), options.Share.Readonly, translation);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Unmounts.</summary>
    public void Dispose()
    {
        _server?.Dispose();
        _share?.Dispose();
    }
}
