using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A part of the <see cref="InodeTable"/>: records in chunks that never move, found by node id through an open-addressing
/// index of record numbers. <see cref="_lock"/> guards everything; records are read without it by those who reference them.
/// </summary>
/// <param name="position">Which of the table's shards it is.</param>
internal sealed class InodeShard(InodeTable table, int position, DescriptorCache cache, DescriptorBudget budget)
{
    private const int ChunkBits = 8;
    private const int ChunkRecords = 1 << ChunkBits;
    private const int IndexLengthMin = 16;
    private const int None = -1;

    /// <summary>Clients are told ids, and could keep files whose places follow one another if they knew this.</summary>
    private static readonly ulong Secret = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1;

    private readonly Lock _lock = new();
    private InodeRecord[][] _chunks = [];

    /// <summary>
    /// Record number + 1 per place; 0 is an empty place. Linear probing, at most 3/4 full. Each shard begins with another
    /// length: they would all grow at once otherwise, and the table with them.
    /// </summary>
    private int[] _index = new int[IndexLengthMin + (IndexLengthMin * position >> (InodeTable.ShardBits + 1))];

    /// <summary>First of the free records, linked through <see cref="InodeRecord.Fd"/>.</summary>
    private int _free = None;

    private int _count;

    /// <summary>Live records whose node id is not their key, and the furthest that any was ever displaced.</summary>
    private int _displaced;
    private int _displacementMax;

    private Dictionary<ulong, byte[]>? _spilledHandles;

    public int Count => Volatile.Read(ref _count);

    public bool Has(ulong node)
    {
        lock (_lock)
        {
            return Find(node) != None;
        }
    }

    public PinnedInode Pin(ulong node)
    {
        lock (_lock)
        {
            int number = Find(node);
            return number == None ? default : Reference(number);
        }
    }

    public PinnedInode Pin(ulong key, scoped in FileIdentity identity)
    {
        lock (_lock)
        {
            int number = Find(key, identity, out _);
            return number == None ? default : Reference(number);
        }
    }

    public PinnedInode PinOrAdd(ulong key, scoped in FileIdentity identity, scoped ref int fd)
    {
        lock (_lock)
        {
            int number = Find(key, identity, out int attempt);
            if (number == None)
            {
                number = Add(InodeTable.Candidate(key, attempt), identity, fd);
                fd = -1;
                NoteDisplacement(attempt);
            }

            return Reference(number);
        }
    }

    /// <summary>A number that no other live record of the table has: as small as there are inodes, for the shards fill alike.</summary>
    public uint NumberOf(int number) => ((uint)number << InodeTable.ShardBits) | (uint)position;

    /// <summary>The node id of a referenced record.</summary>
    public ulong NodeOf(int number) => At(number).Node;

    /// <summary>Drops a reference; the last one takes the record along.</summary>
    public void Release(ulong node)
    {
        int number;
        lock (_lock)
        {
            number = Find(node);
        }

        // It stays the node's until the reference is dropped.
        Release(number);
    }

    /// <summary>Drops a reference of a record.</summary>
    public void Release(int number)
    {
        int own;
        int cached;
        int readable;
        lock (_lock)
        {
            ref InodeRecord record = ref At(number);
            if (--record.References > 0)
            {
                return;
            }

            own = record.Fd;
            // Under the lock: a new record may take the same node id as soon as it is left.
            cached = cache.TryTake(record.Node);
            readable = table.Readable?.TryTake(record.Node) ?? -1;
            table.Watch?.RemoveInode(record.Node);
            Remove(number);
        }

        // Not under the lock: to close the last descriptor of a large file that was removed can take long.
        CloseOwned(own);
        CloseIfOpen(cached);
        CloseIfOpen(readable);
    }

    public byte[] SpilledHandle(ulong node)
    {
        lock (_lock)
        {
            return _spilledHandles![node];
        }
    }

    /// <summary>Calls <paramref name="visit"/> with the node id of each record and how often it is referenced, under the lock.</summary>
    public void Visit(Action<ulong, int> visit)
    {
        lock (_lock)
        {
            foreach (int place in _index)
            {
                if (place != 0)
                {
                    visit(At(place - 1).Node, At(place - 1).References);
                }
            }
        }
    }

    public void CloseAll()
    {
        lock (_lock)
        {
            foreach (int place in _index)
            {
                if (place != 0)
                {
                    CloseOwned(At(place - 1).Fd);
                }
            }
        }
    }

    private void CloseOwned(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
            budget.Return();
        }
    }

    private static void CloseIfOpen(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
        }
    }

    private PinnedInode Reference(int number)
    {
        ref InodeRecord record = ref At(number);
        record.References++;
        return new PinnedInode(table, this, ref record, number);
    }

    private int Find(ulong node)
    {
        for (int place = Home(node); _index[place] != 0; place = Next(place))
        {
            if (At(_index[place] - 1).Node == node)
            {
                return _index[place] - 1;
            }
        }

        return None;
    }

    /// <summary>Finds an inode by what it is, at its key or where it was displaced to.</summary>
    /// <param name="attempt">If there is none: the first candidate that is free.</param>
    private int Find(ulong key, in FileIdentity identity, out int attempt)
    {
        attempt = None;
        // A candidate may have been left by its inode while the one displaced by it lives on: look further than a gap then.
        int last = _displaced == 0 ? 0 : _displacementMax;
        for (int i = 0; i <= last || attempt == None; i++)
        {
            int number = Find(InodeTable.Candidate(key, i));
            if (number == None)
            {
                attempt = attempt == None ? i : attempt;
            }
            else if (IsSame(At(number), identity))
            {
                return number;
            }
        }

        return None;
    }

    private bool IsSame(in InodeRecord record, in FileIdentity identity)
    {
        if (record.Mount != identity.Mount || record.HandleType != identity.Type)
        {
            return false;
        }

        ReadOnlySpan<byte> handle = record.IsSpilled
            ? _spilledHandles![record.Node]
            // SAFETY: HandleBytes writes nothing, and the record is in a pinned chunk, held by the lock.
            : Unsafe.AsRef(in record).HandleBytes;
        return handle.SequenceEqual(identity.Bytes);
    }

    private int Add(ulong node, in FileIdentity identity, int fd)
    {
        if ((_count + 1) * 4L > _index.Length * 3L)
        {
            GrowIndex();
        }

        int number = TakeFreeRecord();
        ref InodeRecord record = ref At(number);
        record = new InodeRecord(node, identity, fd);
        if (record.IsSpilled)
        {
            (_spilledHandles ??= []).Add(node, identity.Bytes.ToArray());
        }

        Place(number, node);
        _count++;
        return number;
    }

    private void NoteDisplacement(int attempt)
    {
        if (attempt > 0)
        {
            _displaced++;
            table.CountDisplaced(1);
            _displacementMax = Math.Max(_displacementMax, attempt);
        }
    }

    private void Remove(int number)
    {
        ref InodeRecord record = ref At(number);
        Unplace(record.Node);
        if (record.IsSpilled)
        {
            _spilledHandles!.Remove(record.Node);
        }

        if (new NodeId(record.Node).IsDisplaced)
        {
            _displaced--;
            table.CountDisplaced(-1);
        }

        record = new InodeRecord { Fd = _free };
        _free = number;
        _count--;
    }

    private int TakeFreeRecord()
    {
        if (_free == None)
        {
            AddChunk();
        }

        int number = _free;
        _free = At(number).Fd;
        return number;
    }

    private void AddChunk()
    {
        // Pinned, so that records stay where references to them point and the collector never copies them.
        InodeRecord[] chunk = GC.AllocateArray<InodeRecord>(ChunkRecords, pinned: true);
        int first = _chunks.Length * ChunkRecords;
        _chunks = [.. _chunks, chunk];
        for (int i = ChunkRecords - 1; i >= 0; i--)
        {
            chunk[i].Fd = _free;
            _free = first + i;
        }
    }

    private ref InodeRecord At(int number) => ref _chunks[number >> ChunkBits][number & (ChunkRecords - 1)];

    private int Home(ulong node) => (int)(((node * Secret >> 32) * (uint)_index.Length) >> 32);

    private int Next(int place) => place + 1 == _index.Length ? 0 : place + 1;

    /// <summary>Steps of <see cref="Next"/> from one place to another.</summary>
    private int Distance(int from, int to) => to >= from ? to - from : to - from + _index.Length;

    private void Place(int number, ulong node)
    {
        int place = Home(node);
        while (_index[place] != 0)
        {
            place = Next(place);
        }

        _index[place] = number + 1;
    }

    /// <summary>Empties a place and closes the gap, so that no search stops short of what was placed after it.</summary>
    private void Unplace(ulong node)
    {
        int gap = Home(node);
        while (At(_index[gap] - 1).Node != node)
        {
            gap = Next(gap);
        }

        for (int place = Next(gap); _index[place] != 0; place = Next(place))
        {
            int home = Home(At(_index[place] - 1).Node);
            if (Distance(home, place) >= Distance(gap, place))
            {
                _index[gap] = _index[place];
                gap = place;
            }
        }

        _index[gap] = 0;
    }

    private void GrowIndex()
    {
        int[] old = _index;
        _index = new int[old.Length + (old.Length / 2)];
        foreach (int place in old)
        {
            if (place != 0)
            {
                Place(place - 1, At(place - 1).Node);
            }
        }
    }
}
