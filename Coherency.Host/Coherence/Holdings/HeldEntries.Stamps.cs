using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// Which version an answer was given with, and until when it may be believed.
public sealed partial class HeldEntries
{
    private const uint NeverExpires = uint.MaxValue;
    private const long ExpiryUnitMs = 100;

    /// <summary>Moving the slots of a change takes a microsecond or two; a thread that was interrupted there is not waited for.</summary>
    private const int SettleSpinsMax = 100;

    /// <summary>The stamp of an answer that the guest may not keep.</summary>
    private static HeldStamp NotKept => default;

    /// <summary>
    /// The stamp of an answer that has been looked up. A change that ended since the start may not be in it: then it gets an
    /// earlier version, and counts as stale.
    /// </summary>
    private HeldStamp Stamp(SlotKey slot, in HeldStart start, TimeSpan timeout)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return NotKept;
        }

        bool isSettled = TryReadSettled(slot, out ulong word);
        ulong given = HeldVersion.Pack(word, start.Epoch);
        given = _log.HasMovedSince(slot, _slotMask, _view, start.Sequence) ? HeldVersion.Earlier(given) : given;
        return new HeldStamp(given, isSettled ? (uint)start.Sequence : 0, ExpiryOf(timeout));
    }

    /// <summary>
    /// Reads a slot's word while all changes of it that are written down have moved it. False when that does not come about:
    /// then what makes the entry stale may not be told from what happened just before.
    /// </summary>
    private bool TryReadSettled(SlotKey slot, out ulong word)
    {
        for (int i = 0; i < SettleSpinsMax; i++)
        {
            long last = _log.LastOf(slot);
            bool isSettled = _log.HasMoved(last);
            word = _view.Table.ReadSlot(slot);
            if (isSettled && _log.LastOf(slot) == last)
            {
                return true;
            }

            Thread.SpinWait(4);
        }

        word = _view.Table.ReadSlot(slot);
        return false;
    }

    private uint ExpiryOf(TimeSpan timeout)
    {
        long units =
            ((Environment.TickCount64 - _createdMs + (long)Math.Min(timeout.TotalMilliseconds, long.MaxValue / 2)) / ExpiryUnitMs) + 1;
        return (uint)Math.Min(units, NeverExpires);
    }

    private bool IsHeld(ulong given, uint expiry) =>
        given != HeldVersion.None && (expiry == NeverExpires || Environment.TickCount64 - _createdMs < expiry * ExpiryUnitMs);

    /// <param name="Given">A <see cref="HeldVersion"/>.</param>
    /// <param name="Sequence">The lower half of the start's; 0 when causes cannot be told.</param>
    /// <param name="Expiry">In units of 100 ms since this was created.</param>
    private readonly record struct HeldStamp(ulong Given, uint Sequence, uint Expiry);
}
