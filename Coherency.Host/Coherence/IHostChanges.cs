using Coherency.Core.Versioning;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Host.Coherence;

/// <summary>
/// Is told what programs of the host changed beside the daemon, after the fact: by the watcher's thread, and in the state
/// <see cref="WatchState.Inotify"/> by threads that serve requests too. The watcher's thread runs before all others: what it
/// calls here is short.
/// </summary>
public interface IHostChanges
{
    /// <summary>
    /// Says what one change was. <see cref="Changed"/> or <see cref="Lost"/> follows, from the same thread, with its slots and
    /// those of others.
    /// </summary>
    void Noticed(in HostChange change)
    {
    }

    /// <summary>
    /// Some changes were made: what is cached about these slots is stale. With the slot of a name comes that of its directory.
    /// </summary>
    void Changed(ReadOnlySpan<SlotKey> slots);

    /// <summary>Changes were made of which nothing more is known: everything cached is stale.</summary>
    void Lost();

    /// <summary>
    /// Something was mounted or unmounted. What it shows or hides was not watched before, and clients know it by the same ids
    /// when it comes back: everything cached is stale.
    /// </summary>
    void MountsChanged() => Lost();
}
