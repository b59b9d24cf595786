using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Hosting;

/// <summary>A share of a running daemon, and what its configuration said.</summary>
/// <param name="Watcher">Notices changes beside the daemon; null when nobody caches what they would make stale.</param>
public sealed record ServedShare(ShareConfiguration Configuration, PassthroughShare Share, HostWatcher? Watcher)
{
    /// <summary>The directory as it was given.</summary>
    public string Directory => Configuration.SharedDir;
}
