namespace Coherency.Host.Passthrough;

/// <summary>
/// How many inodes clients may hold, all together: each takes memory of the daemon for as long as its client does not forget it.
/// Thread-safe.
/// </summary>
/// <param name="limit">An inode that two sessions hold counts twice.</param>
public sealed class InodeBudget(long limit)
{
    /// <summary>The most that one takes: its record, its place in the index, and a session's count of it where it lies alone.</summary>
    private const int BytesPerInode = 48 + 8 + 152;

    /// <summary>The part of the machine's memory (of the control group's) that they may take.</summary>
    private const int PartOfMemory = 4;

    private long _used;

    /// <summary>What the machine's memory allows; the same for all shares.</summary>
    public static InodeBudget Process { get; } = new(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / PartOfMemory / BytesPerInode);

    public long Limit => limit;

    public long Used => Volatile.Read(ref _used);

    /// <summary>Raised with a line for the log when a client has all that it may have.</summary>
    public event Action<string>? Exhausted;

    internal void Add(long inodes) => Interlocked.Add(ref _used, inodes);

    internal void Report(string message) => Exhausted?.Invoke(message);
}
