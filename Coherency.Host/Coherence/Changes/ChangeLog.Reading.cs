using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Changes;

// What readers ask: the changes from a place on, and those of one slot.
public sealed partial class ChangeLog
{
    /// <summary>Records that are looked at, or copied, while the lock is held.</summary>
    private const int RecordsPerHold = 64;

    /// <summary>
    /// Copies changes from a position on, which it moves behind the last of them. What was overwritten before it was read is
    /// counted in <paramref name="missed"/>. A reader that starts now takes <see cref="Next"/> for its first position.
    /// </summary>
    /// <returns>How many were copied; 0 when there is nothing new.</returns>
    public int Read(ref long position, Span<ChangeRecord> changes, out long missed)
    {
        lock (_lock)
        {
            long from = Math.Max(position, Oldest);
            missed = from - position;
            int count = (int)Math.Min(Math.Min(changes.Length, RecordsPerHold), _next - from);
            for (int i = 0; i < count; i++)
            {
                changes[i] = At(from + i);
            }

            position = from + Math.Max(count, 0);
            return Math.Max(count, 0);
        }
    }

    /// <summary>
    /// The first change from a sequence on that moved a slot in a view. False when there is none, or when it may have been
    /// forgotten: then <paramref name="isComplete"/> is false, and what was found may be a later one.
    /// </summary>
    /// <param name="mask">The low bits of keys that make a slot.</param>
    public bool TryFindFirst(SlotKey slot, ulong mask, ShareView view, long from, out ChangeRecord first, out bool isComplete)
    {
        Walk walk = new() { At = LastOf(slot), Slot = slot.Value, Mask = mask, View = view, From = from };
        while (walk.At >= from && walk.At != 0)
        {
            if (!TryStep(ref walk))
            {
                break;
            }
        }

        first = walk.Found;
        isComplete = walk.At < from;
        return walk.HasFound;
    }

    /// <summary>The first move of a view's epoch from a sequence on; the same as for slots.</summary>
    public bool TryFindFirstEpoch(ShareView view, long from, out ChangeRecord first, out bool isComplete)
    {
        first = default;
        bool found = false;
        lock (_lock)
        {
            long at = _lastEpoch;
            while (at >= from && at >= Oldest)
            {
                ref ChangeRecord record = ref At(at);
                if (record.Moved(view))
                {
                    first = record;
                    found = true;
                }

                at = record.Link(0) == 0 ? 0 : at - record.Link(0);
            }

            isComplete = at < from;
            return found;
        }
    }

    /// <summary>The last changes of exactly one key, newest first, as far as they are remembered.</summary>
    public int ReadLast(SlotKey key, Span<ChangeRecord> changes)
    {
        int count = 0;
        long at = LastOf(key);
        while (at != 0 && count < changes.Length)
        {
            lock (_lock)
            {
                for (int i = 0; i < RecordsPerHold && at >= Oldest && count < changes.Length; i++)
                {
                    ref ChangeRecord record = ref At(at);
                    if (record.Keys.Contains(key))
                    {
                        changes[count++] = record;
                    }

                    at = Previous(record, key.Value);
                }

                at = at < Oldest ? 0 : at;
            }
        }

        return count;
    }

    /// <summary>When the oldest change that is remembered ended; now when there is none.</summary>
    public DateTime OldestKnown
    {
        get
        {
            lock (_lock)
            {
                return _next == 1 ? DateTime.UtcNow : At(Oldest).At;
            }
        }
    }

    /// <summary>Did a change of a slot end from a sequence on that moved it in a view? In doubt, yes.</summary>
    internal bool HasMovedSince(SlotKey slot, ulong mask, ShareView view, long from) =>
        LastOf(slot) >= from && (TryFindFirst(slot, mask, view, from, out _, out bool isComplete) || !isComplete);

    private ref ChangeRecord At(long sequence) => ref _ring[sequence & (_ring.Length - 1)];

    /// <summary>Goes back some records; false when the rest is forgotten.</summary>
    private bool TryStep(ref Walk walk)
    {
        lock (_lock)
        {
            for (int i = 0; i < RecordsPerHold && walk.At >= walk.From && walk.At != 0; i++)
            {
                if (walk.At < Oldest)
                {
                    return false;
                }

                ref ChangeRecord record = ref At(walk.At);
                if (record.Moved(walk.View) && Touches(record, walk.Slot, walk.Mask))
                {
                    walk.Found = record;
                    walk.HasFound = true;
                }

                walk.At = Previous(record, walk.Slot);
            }

            return true;
        }
    }

    private static bool Touches(in ChangeRecord record, ulong slot, ulong mask)
    {
        foreach (SlotKey key in record.Keys)
        {
            if (((key.Value ^ slot) & mask) == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static long Previous(in ChangeRecord record, ulong slot)
    {
        for (int i = 0; i < record.KeyCount; i++)
        {
            if (record.Keys[i].Value % ChainCount == slot % ChainCount)
            {
                return record.Link(i) == 0 ? 0 : record.Sequence - record.Link(i);
            }
        }

        return 0;
    }

    /// <summary>A way back along a chain.</summary>
    private ref struct Walk
    {
        public long At;
        public ulong Slot;
        public ulong Mask;
        public ShareView View;
        public long From;
        public ChangeRecord Found;
        public bool HasFound;
    }
}
