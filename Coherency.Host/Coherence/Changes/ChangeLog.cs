using System.Numerics;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Changes;

/// <summary>
/// The last changes of a group, in the order in which they ended: a ring, whose records are chained by what they touched. A
/// change is added before the slots move, and <see cref="EndMoves"/> is called after they have; so whoever sees a slot moved
/// finds the change here. Adding allocates nothing; readers hold the lock for a few records at a time. Thread-safe.
/// </summary>
public sealed partial class ChangeLog
{
    public const int DefaultCapacity = 1 << 16;

    /// <summary>Keys whose low bits are the same share a chain: fewer bits than any table that matters has.</summary>
    private const int ChainCount = 1 << 16;

    private readonly ChangeRecord[] _ring;

    /// <summary>By the low bits of a key: the sequence of the last change that touched such a one; 0 for none.</summary>
    private readonly long[] _chains = new long[ChainCount];

    private readonly Lock _lock = new();
    private readonly List<(long From, long End)> _gaps = [];
    private (ChangeLog Log, long Position)? _continuation;
    private long _lastEpoch;
    private long _next = 1;
    private long _settled = 1;
    private int _movesUnderWay;

    /// <param name="capacity">How many changes are remembered; a power of two.</param>
    public ChangeLog(int capacity = DefaultCapacity)
    {
        if (!BitOperations.IsPow2(capacity))
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "a power of two is needed");
        }

        _ring = new ChangeRecord[capacity];
    }

    /// <summary>The sequence that the next change will have.</summary>
    public long Next => Volatile.Read(ref _next);

    public int Capacity => _ring.Length;

    /// <summary>Changes remembered are those from here on.</summary>
    private long Oldest => AfterGaps(Math.Max(1, _next - _ring.Length));

    /// <summary>Adds a change of a client that is about to move its slots.</summary>
    internal void BeginMoves(ChangeOperation operation, ShareView? actor, ShareView? exempt, ReadOnlySpan<TouchedObject> touched)
    {
        long now = DateTime.UtcNow.Ticks;
        lock (_lock)
        {
            ref ChangeRecord record = ref Add(now, operation, ChangeActor.Client(actor));
            record.Exempt = exempt;
            record.KeyCount = (byte)touched.Length;
            for (int i = 0; i < touched.Length; i++)
            {
                record.KeySpace[i] = touched[i].Slot;
                if (touched[i].IsName && record.NameLength == 0)
                {
                    record.SetName(touched[i].InodeKey, touched[i].Name);
                }
            }

            Publish(ref record);
        }
    }

    /// <summary>Adds a change that was over before it was known, and whose slots are about to move.</summary>
    /// <param name="name">Empty when no name was changed.</param>
    internal void BeginMoves(
        ChangeOperation operation, in ChangeActor actor, ReadOnlySpan<SlotKey> keys, ulong directory = 0, ReadOnlySpan<byte> name = default)
    {
        long now = DateTime.UtcNow.Ticks;
        lock (_lock)
        {
            ref ChangeRecord record = ref Add(now, operation, actor);
            record.KeyCount = (byte)Math.Min(keys.Length, MutationScope.TouchedMax);
            keys[..record.KeyCount].CopyTo(record.KeySpace);
            record.SetName(directory, name);
            Publish(ref record);
        }
    }

    /// <summary>Adds that an epoch is about to move.</summary>
    /// <param name="target">The one view that it is in; null for all.</param>
    internal void BeginEpoch(ChangeOperation operation, in ChangeActor actor, ShareView? target)
    {
        long now = DateTime.UtcNow.Ticks;
        lock (_lock)
        {
            ref ChangeRecord record = ref Add(now, operation, actor);
            record.Target = target;
            record.LinkSpace[0] = Distance(record.Sequence, _lastEpoch);
            _lastEpoch = record.Sequence;
            Publish(ref record);
        }
    }

    /// <summary>The slots of so many changes have moved.</summary>
    internal void EndMoves(int changes = 1)
    {
        lock (_lock)
        {
            _movesUnderWay -= changes;
            if (_movesUnderWay == 0)
            {
                Volatile.Write(ref _settled, _next);
            }
        }
    }

    /// <summary>The last change that touched what has the same chain as a key; 0 for none.</summary>
    internal long LastOf(SlotKey key) => Volatile.Read(ref _chains[key.Value % ChainCount]);

    /// <summary>Have the slots of all changes up to this one moved?</summary>
    internal bool HasMoved(long sequence) => sequence < Volatile.Read(ref _settled);

    /// <summary>
    /// Takes the place of another log, whose group became part of this one's. Its changes are not taken over, but sequences that it has
    /// given out stay earlier than all that are given out here from now on.
    /// </summary>
    internal void Continue(ChangeLog ended)
    {
        long reached = ended.Next;
        lock (_lock)
        {
            if (reached > _next)
            {
                _gaps.Add((_next, reached));
                Volatile.Write(ref _next, reached);
                Volatile.Write(ref _settled, _movesUnderWay == 0 ? reached : _settled);
            }

            ended.ContinueIn(this, _next);
        }
    }

    private void ContinueIn(ChangeLog next, long position)
    {
        lock (_lock)
        {
            _continuation = (next, position);
        }
    }

    /// <summary>A sequence, or the first one behind those that were never given out.</summary>
    private long AfterGaps(long sequence)
    {
        foreach ((long from, long end) in _gaps)
        {
            sequence = sequence >= from && sequence < end ? end : sequence;
        }

        return sequence;
    }

    /// <summary>Overwrites the oldest record. The lock is held.</summary>
    private ref ChangeRecord Add(long ticks, ChangeOperation operation, in ChangeActor actor)
    {
        ref ChangeRecord record = ref _ring[_next & (_ring.Length - 1)];
        record.Sequence = _next;
        record.Ticks = ticks;
        record.Operation = operation;
        record.Actor = actor;
        record.Exempt = null;
        record.Target = null;
        record.KeyCount = 0;
        record.NameLength = 0;
        record.NameDirectory = 0;
        return ref record;
    }

    /// <summary>Puts a record that is complete into the chains of its keys. The lock is held.</summary>
    private void Publish(ref ChangeRecord record)
    {
        _movesUnderWay++;
        for (int i = 0; i < record.KeyCount; i++)
        {
            ref long chain = ref _chains[record.KeySpace[i].Value % ChainCount];
            // Two keys of one change may have the same chain: then it was here already, and the link of the first counts.
            record.LinkSpace[i] = chain == record.Sequence ? 0 : Distance(record.Sequence, chain);
            Volatile.Write(ref chain, record.Sequence);
        }

        Volatile.Write(ref _next, _next + 1);
    }

    private static uint Distance(long from, long to) => to == 0 || from - to > uint.MaxValue ? 0 : (uint)(from - to);
}
