namespace Coherency.Host.Coherence.HostWatching;

/// <summary>How changes are noticed that programs of the host make beside the daemon; a later one is better.</summary>
public enum WatchState
{
    /// <summary>Not at all, or not all of them.</summary>
    None,

    /// <summary>
    /// By a watch for each inode that clients hold. It does not tell who made a change, so what clients do through the
    /// daemon moves their slots a second time.
    /// </summary>
    Inotify,

    /// <summary>By a mark on each file system that the share contains.</summary>
    Fanotify,
}
