using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Guest.Coherence;

/// <summary>The state of a slot in the table that others' changes move and in the one of the session's own.</summary>
/// <param name="Era">Moved when everything that the session cached was given up.</param>
public readonly record struct WatchSample(VersionSample Others, ulong Own, long Era)
{
    /// <summary>False while a change was under way: its answer may be used once, not kept.</summary>
    public bool Counts => Others.Counts && (Own & VersionTableConstants.WritersMask) == 0;
}

/// <summary>
/// Watches a version table on behalf of a cache. The daemon moves no slot for a session's own changes, and while one of them
/// is on its way another thread may cache an answer from before it: the session plays the daemon for itself, with slots of its
/// own that follow the same rules. And it believes nothing while the daemon gives no sign of life. Thread-safe.
/// </summary>
public sealed class TableWatch : IDisposable
{
    /// <summary>Few are enough: a slot that several share costs a request, and own changes are known to be rare then.</summary>
    private const int OwnSlots = 1 << 12;

    private readonly VersionTableReader _table;
    private readonly ulong[] _own = new ulong[OwnSlots];
    private readonly Timer _pulse;
    private ulong _ownMutations;
    private long _era;
    private ulong _lastHeartbeat;
    private long _lastMoved = Environment.TickCount64;
    private volatile bool _isAlive = true;

    /// <param name="table">Stays the caller's, who disposes it later.</param>
    public TableWatch(VersionTableReader table)
    {
        _table = table;
        _lastHeartbeat = table.Heartbeat;
        TimeSpan period = table.HeartbeatBound / 4;
        _pulse = new Timer(_ => TakePulse(), null, period, period);
    }

    public ulong RootKey => _table.RootKey;

    /// <summary>Beginnings and ends of changes, others' and own.</summary>
    public ulong Mutations => _table.Mutations + Volatile.Read(ref _ownMutations);

    /// <summary>To be taken before the request is sent whose answer it is to go with.</summary>
    public WatchSample Sample(SlotKey slot) => new(_table.Sample(slot), Volatile.Read(ref OwnSlot(slot)), Volatile.Read(ref _era));

    /// <summary>A sample for an inode that an answer named; one that does not count when something changed meanwhile.</summary>
    /// <param name="mutations"><see cref="Mutations"/> from before the request.</param>
    public WatchSample SampleAnswered(SlotKey slot, ulong mutations)
    {
        WatchSample sample = Sample(slot);
        return Mutations == mutations ? sample : default;
    }

    /// <summary>May the answer that goes with this sample still be used?</summary>
    public bool IsCurrent(SlotKey slot, WatchSample sample) =>
        _isAlive
        && _table.IsCurrent(slot, sample.Others)
        && Volatile.Read(ref OwnSlot(slot)) == sample.Own
        && Volatile.Read(ref _era) == sample.Era;

    /// <summary>To be held from before a change's request until after its reply.</summary>
    public OwnChange BeginOwnChange(SlotKey[] slots)
    {
        Move(slots, VersionTableLayout.BeginStep);
        return new OwnChange(this, slots);
    }

    /// <summary>
    /// To be called after the reply to an own change that named what it removes or renames. Had somebody else changed that
    /// name, the change may have hit another inode than the session thinks, of which the daemon told it nothing.
    /// </summary>
    /// <param name="before">From before the session found out what the name stands for.</param>
    public void ConfirmOwnChange(SlotKey name, WatchSample before)
    {
        if (!_table.IsCurrent(name, before.Others))
        {
            Interlocked.Increment(ref _ownMutations);
            Interlocked.Increment(ref _era);
        }
    }

    /// <summary>When this returns, nothing here looks at the table any more.</summary>
    public void Dispose()
    {
        using ManualResetEvent stopped = new(false);
        if (_pulse.Dispose(stopped))
        {
            stopped.WaitOne();
        }
    }

    internal void EndOwnChange(SlotKey[] slots) => Move(slots, VersionTableLayout.EndStep);

    private void Move(SlotKey[] slots, ulong step)
    {
        Interlocked.Increment(ref _ownMutations);
        foreach (SlotKey slot in slots)
        {
            Interlocked.Add(ref OwnSlot(slot), step);
        }
    }

    private ref ulong OwnSlot(SlotKey slot) => ref _own[slot.Value % OwnSlots];

    private void TakePulse()
    {
        ulong heartbeat = _table.Heartbeat;
        long now = Environment.TickCount64;
        if (heartbeat != _lastHeartbeat)
        {
            _lastHeartbeat = heartbeat;
            _lastMoved = now;
        }

        _isAlive = now - _lastMoved <= _table.HeartbeatBound.TotalMilliseconds;
    }
}

/// <summary>A change of the session itself, from before its request to after its reply.</summary>
public readonly struct OwnChange(TableWatch watch, SlotKey[] slots) : IDisposable
{
    public void Dispose() => watch.EndOwnChange(slots);
}
