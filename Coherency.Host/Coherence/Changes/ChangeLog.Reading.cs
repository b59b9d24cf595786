using System.Diagnostics.CodeAnalysis;
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
            long start = position;
            long at = Math.Max(AfterGaps(start), Oldest);
            missed = at - start - _gaps.Sum(gap => Math.Max(0, Math.Min(at, gap.End) - Math.Max(start, gap.From)));
            int count = 0;
            while (count < Math.Min(changes.Length, RecordsPerHold) && at < _next)
            {
                changes[count++] = At(at);
                at = AfterGaps(at + 1);
            }

            position = at;
            return count;
        }
    }

    /// <summary>
    /// Where a reader goes on that has read all: the group has become part of another one, whose log begins there to be this one's too.
    /// </summary>
    /// <returns>False as long as the group is one of its own.</returns>
    public bool TryContinue(ref long position, [NotNullWhen(true)] out ChangeLog? log)
    {
        lock (_lock)
        {
            (log, position) = _continuation is { } next ? next : (null, position);
            return log is not null;
        }
    }

    /// <summary>What moved a slot in a view from a sequence on, as far as it is remembered.</summary>
    /// <param name="key">Of the slot.</param>
    /// <param name="mask">The low bits of keys that make a slot.</param>
    public SlotHistory ReadHistory(SlotKey key, ulong mask, ShareView view, long from)
    {
        Walk walk = new() { At = LastOf(key), Key = key.Value, Mask = mask, View = view, From = from };
        while (walk.GoesOn && TryStep(ref walk))
        {
        }

        lock (_lock)
        {
            long first = walk.OfKey != 0 ? walk.OfKey : walk.OfSlot;
            bool isRemembered = first == 0 || first >= Oldest;
            return new SlotHistory
            {
                IsComplete = walk.At < from && isRemembered,
                Moves = walk.Moves,
                IsOfKey = walk.OfKey != 0,
                First = first != 0 && isRemembered ? At(first) : null,
            };
        }
    }

    /// <summary>The first move of a view's epoch from a sequence on; if it may have been forgotten, it is not complete.</summary>
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
    internal bool HasMovedSince(SlotKey slot, ulong mask, ShareView view, long from)
    {
        Walk walk = new() { At = LastOf(slot), Key = slot.Value, Mask = mask, View = view, From = from };
        while (walk.GoesOn && walk.Moves == 0)
        {
            if (!TryStep(ref walk))
            {
                return true;
            }
        }

        return walk.Moves > 0;
    }

    private ref ChangeRecord At(long sequence) => ref _ring[sequence & (_ring.Length - 1)];

    /// <summary>Goes back some records; false when the rest is forgotten.</summary>
    private bool TryStep(ref Walk walk)
    {
        lock (_lock)
        {
            for (int i = 0; i < RecordsPerHold && walk.GoesOn; i++)
            {
                if (walk.At < Oldest)
                {
                    return false;
                }

                ref ChangeRecord record = ref At(walk.At);
                if (record.Moved(walk.View))
                {
                    walk.Meet(record);
                }

                walk.At = Previous(record, walk.Key);
            }

            return true;
        }
    }

    private static long Previous(in ChangeRecord record, ulong key)
    {
        for (int i = 0; i < record.KeyCount; i++)
        {
            if (record.Keys[i].Value % ChainCount == key % ChainCount)
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
        public ulong Key;
        public ulong Mask;
        public ShareView View;
        public long From;
        public long OfKey;
        public long OfSlot;
        public long Moves;

        public readonly bool GoesOn => At >= From && At != 0;

        public void Meet(in ChangeRecord record)
        {
            foreach (SlotKey key in record.Keys)
            {
                if (((key.Value ^ Key) & Mask) == 0)
                {
                    OfSlot = record.Sequence;
                    OfKey = key.Value == Key ? record.Sequence : OfKey;
                    Moves++;
                }
            }
        }
    }
}
