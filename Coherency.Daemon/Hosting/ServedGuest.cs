using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.FuseDevice;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Hosting;

/// <summary>A guest of a running daemon, or a mount of a share on the host: one of <c>Endpoint</c> and <c>Mount</c> is there.</summary>
/// <param name="wanted">How its share was to be; it may have been opened for another one's wishes.</param>
/// <param name="configuration">A mount's name and socket are the directory where it is.</param>
public sealed class ServedGuest(
    ShareConfiguration wanted, GuestConfiguration configuration, CacheMode cache, ServedShare share, FuseSession session, ShareView? view)
{
    private volatile PassthroughFileSystem? _files;

    public ShareConfiguration Wanted { get; } = wanted;

    public GuestConfiguration Configuration { get; } = configuration;

    public string Name => Configuration.Name;

    /// <summary>The socket that its VMM connects to, or the directory where it is mounted.</summary>
    public string Address => Configuration.Socket;

    public CacheMode Cache { get; } = cache;

    public ServedShare Share { get; } = share;

    public FuseSession Session { get; } = session;

    /// <summary>How it learns of others' changes; null when it only believes timeouts.</summary>
    public ShareView? View { get; } = view;

    /// <summary>Its version table; null when it has none.</summary>
    public TableView? Table => View as TableView;

    /// <summary>
    /// What it was given and may still hold; null when that is not recorded, as of mounts, which are told of every change.
    /// </summary>
    public HeldEntries? Held => Session.Held;

    public GuestEndpoint? Endpoint { get; internal set; }

    /// <summary>How busy each of its queues is; a mount has none.</summary>
    public IReadOnlyList<QueueLoad> Loads => Endpoint?.Loads ?? [];

    public FuseDeviceServer? Mount { get; internal set; }

    /// <summary>The file system of its present conversation, or of the last one, which holds nothing any more.</summary>
    public PassthroughFileSystem? Files => _files;

    internal void Use(PassthroughFileSystem files) => _files = files;
}
