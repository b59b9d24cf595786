namespace Coherency.Host.Coherence;

/// <summary>
/// The inodes that changes of a group touch now, or did a moment ago. Whoever removes or replaces a name says before which inode
/// that is; a program of the host may give the name to another inode between, which then no slot tells of. So an event about an
/// inode that is not here is not taken for one of the group's own. Inodes share places: one that was driven out is told twice.
/// </summary>
internal sealed class TouchedInodes
{
    /// <summary>
    /// From the end of a change until its events have been read, in milliseconds: when that takes longer, nobody believes the
    /// tables (<see cref="HostWatching.HostWatcher.IsAlive"/>).
    /// </summary>
    private const ulong MomentMs = 1000;

    private const int Places = 4096;

    /// <summary>The low bits of a mark: when the change ended, or this while it has not.</summary>
    private const ulong UnderWay = (1 << 20) - 1;

    /// <summary>The high bits of the key, above the time; its lowest ones choose the place.</summary>
    private readonly ulong[] _marks = new ulong[Places];

    private static ulong Now => (ulong)Environment.TickCount64 % UnderWay;

    public void Begin(ulong key) => Volatile.Write(ref _marks[key % Places], (key & ~UnderWay) | UnderWay);

    public void End(ulong key) => Volatile.Write(ref _marks[key % Places], (key & ~UnderWay) | Now);

    public bool Contain(ulong key)
    {
        ulong mark = Volatile.Read(ref _marks[key % Places]);
        ulong ended = mark & UnderWay;
        return (mark & ~UnderWay) == (key & ~UnderWay) && (ended == UnderWay || (Now + UnderWay - ended) % UnderWay <= MomentMs);
    }
}
