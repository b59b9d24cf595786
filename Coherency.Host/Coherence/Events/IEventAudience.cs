namespace Coherency.Host.Coherence.Events;

/// <summary>What a client may be told, and what has become of it. Any thread may ask.</summary>
public interface IEventAudience
{
    /// <summary>Does it hold an inode with that key? Of others it is told nothing.</summary>
    bool Holds(ulong key);

    /// <summary>Has the inode lost its last name? False where that cannot be told.</summary>
    bool IsRemoved(ulong key);

    /// <summary>Is there such a name in a directory that it holds?</summary>
    bool HasName(ulong directory, ReadOnlySpan<byte> name);
}
