using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>Which version of its view a guest is given an answer with, and until when it may believe it. Thread-safe.</summary>
/// <exception cref="InvalidOperationException">The view's group writes no changes down.</exception>
internal sealed class HeldStamps(TableView view)
{
    public const uint NeverExpires = uint.MaxValue;

    private const long ExpiryUnitMs = 100;

    /// <summary>Moving the slots of a change takes a microsecond or two; a thread that was interrupted there is not waited for.</summary>
    private const int SettleSpinsMax = 100;

    private readonly long _createdMs = Environment.TickCount64;

    /// <summary>Of the group, which can become part of another one.</summary>
    public ChangeLog Log =>
        view.Group.Log ?? throw new InvalidOperationException("the group writes no changes down: it needs a ChangeLog");

    public ulong SlotMask { get; } = (ulong)view.Table.SlotCount - 1;

    /// <summary>To be called before anything is looked at for an answer.</summary>
    public HeldStart Start()
    {
        // In this order: a move of the epoch is written down before it is made.
        long next = Log.Next;
        return new HeldStart(next, view.Table.Epoch);
    }

    /// <summary>
    /// The stamp of an answer that has been looked up. A change that ended since the start may not be in it: then it gets an
    /// earlier version, and counts as stale.
    /// </summary>
    public HeldStamp Stamp(SlotKey slot, in HeldStart start, TimeSpan timeout)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return HeldStamp.NotKept;
        }

        bool isSettled = TryReadSettled(slot, out ulong word);
        ulong given = HeldVersion.Pack(word, start.Epoch);
        given = Log.HasMovedSince(slot, SlotMask, view, start.Sequence) ? HeldVersion.Earlier(given) : given;
        return new HeldStamp(given, isSettled ? (uint)start.Sequence : 0, ExpiryOf(timeout));
    }

    /// <summary>May an answer with this stamp still be believed?</summary>
    public bool IsHeld(ulong given, uint expiry) =>
        given != HeldVersion.None && (expiry == NeverExpires || Environment.TickCount64 - _createdMs < expiry * ExpiryUnitMs);

    /// <summary>The version that an answer would be given with now.</summary>
    public ulong VersionNow(SlotKey slot) => HeldVersion.Pack(view.Table.ReadSlot(slot), view.Table.Epoch);

    /// <summary>
    /// Reads a slot's word while all changes of it that are written down have moved it. False when that does not come about:
    /// then what makes the entry stale may not be told from what happened just before.
    /// </summary>
    private bool TryReadSettled(SlotKey slot, out ulong word)
    {
        for (int i = 0; i < SettleSpinsMax; i++)
        {
            ChangeLog log = Log;
            long last = log.LastOf(slot);
            bool isSettled = log.HasMoved(last);
            word = view.Table.ReadSlot(slot);
            if (isSettled && log.LastOf(slot) == last)
            {
                return true;
            }

            Thread.SpinWait(4);
        }

        word = view.Table.ReadSlot(slot);
        return false;
    }

    private uint ExpiryOf(TimeSpan timeout)
    {
        long units =
            ((Environment.TickCount64 - _createdMs + (long)Math.Min(timeout.TotalMilliseconds, long.MaxValue / 2)) / ExpiryUnitMs) + 1;
        return (uint)Math.Min(units, NeverExpires);
    }
}
