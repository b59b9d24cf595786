using System.Runtime.InteropServices;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Coherence.Events;

/// <summary>
/// What one client has not been told yet, as messages of the channel. Of the same name and inode, what changes only the inode is one
/// message until it is taken. Its memory is bounded: what there is no room for is told as a directory (or an inode) whose events were
/// lost; and when these are too many, as everything. Thread-safe.
/// </summary>
/// <param name="bytesMax">Of messages; in chunks, of which there are at least two.</param>
internal sealed class EventQueue(int bytesMax = EventQueue.BytesDefault)
{
    /// <summary>Some 40,000 messages with short names.</summary>
    public const int BytesDefault = 2 << 20;

    /// <summary>Keys whose events were lost, at most.</summary>
    public const int ChangedMax = 8192;

    /// <summary>Keys of inodes a lock on which may be free, at most: more are told as any.</summary>
    public const int LocksMax = 8192;

    /// <summary>A message lies in one chunk.</summary>
    private const int ChunkBytes = 32 * 1024;

    private const int PlacesMask = 4095;

    /// <summary>Kinds that change an inode and no name.</summary>
    private const FileEventKinds OfContent = FileEventKinds.Modify | FileEventKinds.Attributes | FileEventKinds.CloseWrite;

    private readonly Lock _lock = new();

    /// <summary>Chunks in use have successive numbers, from the one that is taken from to the one that is added to.</summary>
    private readonly byte[]?[] _chunks = new byte[Math.Max(2, bytesMax / ChunkBytes)][];

    private readonly int[] _used = new int[Math.Max(2, bytesMax / ChunkBytes)];

    /// <summary>Where the last message about a name was put that has the same low bits of its hash; believed only after a look.</summary>
    private readonly Place[] _places = new Place[PlacesMask + 1];

    private readonly HashSet<ulong> _changed = [];
    private readonly HashSet<ulong> _locks = [];
    private byte[]? _spare;
    private long _firstChunk;
    private long _lastChunk;
    private int _takenOfFirst;
    private int _pending;
    private bool _lostAll;
    private bool _anyLock;
    private EventCounts _counts;

    private readonly record struct Place(long Chunk, int Offset);

    /// <summary>There is something to take.</summary>
    public bool HasContent
    {
        get
        {
            lock (_lock)
            {
                return _pending > 0 || _changed.Count > 0 || _lostAll || _locks.Count > 0 || _anyLock;
            }
        }
    }

    /// <summary>A lock may be free that somebody waits for.</summary>
    public bool HasLocks
    {
        get
        {
            lock (_lock)
            {
                return _locks.Count > 0 || _anyLock;
            }
        }
    }

    public EventCounts Counts
    {
        get
        {
            lock (_lock)
            {
                return _counts with { Pending = _pending };
            }
        }
    }

    /// <summary>Bytes of messages that it has room for now.</summary>
    public long MemoryBytes
    {
        get
        {
            lock (_lock)
            {
                return _chunks.Sum(chunk => (long)(chunk?.Length ?? 0)) + (_spare?.Length ?? 0);
            }
        }
    }

    /// <param name="look">What has to be found out about it when it is taken.</param>
    public void Add(in FileEvent told, EventLook look = EventLook.None)
    {
        lock (_lock)
        {
            _counts.Queued++;
            if (IsCovered(told))
            {
                _counts.Lost++;
            }
            else if (!TryMerge(told, look) && !TryAppend(told, default, look))
            {
                Lose(told);
            }
        }
    }

    /// <summary>Two that are taken together, one directly after the other.</summary>
    public void Add(in FileEvent first, in FileEvent second, EventLook look = EventLook.None)
    {
        bool isCovered;
        lock (_lock)
        {
            isCovered = IsCovered(first) || IsCovered(second);
            if (!isCovered)
            {
                _counts.Queued += 2;
                if (!TryAppend(first, second, look))
                {
                    Lose(first);
                    Lose(second);
                }
            }
        }

        if (isCovered)
        {
            Add(first, look & EventLook.Removed);
            Add(second, look & EventLook.Removed);
        }
    }

    /// <summary>A lock on an inode may be free.</summary>
    public void AddLock(ulong key)
    {
        lock (_lock)
        {
            if (!_anyLock && _locks.Add(key) && _locks.Count > LocksMax)
            {
                _locks.Clear();
                _anyLock = true;
            }
        }
    }

    /// <summary>Any lock may be free.</summary>
    public void AddAllLocks()
    {
        lock (_lock)
        {
            _locks.Clear();
            _anyLock = true;
        }
    }

    /// <summary>Nobody knows what has happened.</summary>
    public void LoseAll()
    {
        lock (_lock)
        {
            LoseEverything();
        }
    }

    /// <summary>Something has happened in a directory, or to an inode, and nobody knows what.</summary>
    public void LoseOf(ulong key)
    {
        lock (_lock)
        {
            MarkChanged(key);
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            DropMessages();
            _spare = null;
            _changed.Clear();
            _lostAll = false;
            _locks.Clear();
            _anyLock = false;
        }
    }

    /// <summary>Takes as much as there is room for, oldest first.</summary>
    /// <param name="block">At least <see cref="ChannelConstants.BlockBytesMin"/>.</param>
    /// <param name="audience">Finds out what has to be found out.</param>
    /// <returns>The bytes of the block, which may hold no message.</returns>
    public int Take(Span<byte> block, IEventAudience audience)
    {
        int bytes;
        int events;
        lock (_lock)
        {
            bytes = ChannelFormat.BlockHeaderBytes;
            ChannelBlockFlags flags = _lostAll ? ChannelBlockFlags.All : ChannelBlockFlags.None;
            flags |= _anyLock ? ChannelBlockFlags.Locks : ChannelBlockFlags.None;
            _lostAll = false;
            _anyLock = false;
            TakeLocks(block, ref bytes);
            events = bytes;
            TakeMessages(block, ref bytes);
            TakeChanged(block, ref bytes);
            ChannelFormat.WriteHeader(block, bytes, flags);
        }

        // System calls, without the lock that others wait for.
        EventLooks.Settle(block[events..bytes], audience);
        return bytes;
    }

    /// <summary>Half of the block at most: events have their part.</summary>
    private void TakeLocks(Span<byte> block, ref int bytes)
    {
        if (_locks.Count == 0)
        {
            return;
        }

        ulong[] keys = [.. _locks.Take(block.Length / 2 / ChannelFormat.LockBytes)];
        foreach (ulong key in keys)
        {
            _locks.Remove(key);
            ChannelFormat.WriteLock(block[bytes..], key);
            bytes += ChannelFormat.LockBytes;
        }
    }

    private void TakeMessages(Span<byte> block, ref int bytes)
    {
        while (_pending > 0)
        {
            int place = PlaceOf(_firstChunk);
            if (_takenOfFirst == _used[place])
            {
                DropFirst();
                continue;
            }

            ReadOnlySpan<byte> rest = _chunks[place].AsSpan(_takenOfFirst.._used[place]);
            int unit = EventLooks.UnitBytes(rest, out int messages);
            if (unit > block.Length - bytes)
            {
                return;
            }

            rest[..unit].CopyTo(block[bytes..]);
            bytes += unit;
            _takenOfFirst += unit;
            _pending -= messages;
            _counts.Sent += messages;
        }
    }

    private void TakeChanged(Span<byte> block, ref int bytes)
    {
        int room = _pending > 0 ? 0 : (block.Length - bytes) / ChannelFormat.EventBytesMin;
        if (room == 0 || _changed.Count == 0)
        {
            return;
        }

        ulong[] keys = [.. _changed.Take(room)];
        foreach (ulong key in keys)
        {
            _changed.Remove(key);
            bytes += ChannelFormat.Write(block[bytes..], new FileEvent { Directory = key, Flags = FileEventFlags.Changed });
            _counts.Sent++;
        }
    }

    /// <summary>What will be told as lost, and so is not told one by one.</summary>
    private bool IsCovered(in FileEvent told) =>
        _lostAll || (
            _changed.Count > 0 && told.Directory != 0 && _changed.Contains(told.Directory) && (told.Child == 0 || IsOfContent(told)));

    private static bool IsOfContent(in FileEvent told) => (told.Kinds & ~(OfContent | FileEventKinds.IsDirectory)) == 0;

    private bool TryMerge(in FileEvent told, EventLook look)
    {
        if (!IsOfContent(told))
        {
            return false;
        }

        Place place = _places[HashOf(told) & PlacesMask];
        bool isThere = _pending > 0 && place.Chunk >= _firstChunk && place.Chunk <= _lastChunk
            && (place.Chunk != _firstChunk || place.Offset >= _takenOfFirst) && place.Offset < _used[PlaceOf(place.Chunk)];
        if (!isThere)
        {
            return false;
        }

        Span<byte> message = _chunks[PlaceOf(place.Chunk)].AsSpan(place.Offset);
        FileEvent there = ChannelFormat.Read(message, out _);
        if (!IsOfContent(there) || there.Directory != told.Directory || there.Child != told.Child || !there.Name.SequenceEqual(told.Name)
            || EventLooks.Of(message) != look)
        {
            return false;
        }

        MemoryMarshal.AsRef<coherency_event>(message).mask |= (uint)told.Kinds;
        _counts.Merged++;
        return true;
    }

    /// <param name="second">To be taken together with the first; none when it has no kind.</param>
    private bool TryAppend(in FileEvent first, in FileEvent second, EventLook look)
    {
        bool isPair = second.Kinds != FileEventKinds.None;
        int bytes = ChannelFormat.EventBytes(first.Name.Length) + (isPair ? ChannelFormat.EventBytes(second.Name.Length) : 0);
        if (!TryMakeRoom(bytes))
        {
            return false;
        }

        Append(first, look | (isPair ? EventLook.Paired : EventLook.None));
        if (isPair)
        {
            Append(second, look);
        }

        return true;
    }

    private void Append(in FileEvent told, EventLook look)
    {
        int place = PlaceOf(_lastChunk);
        int offset = _used[place];
        _used[place] += ChannelFormat.Write(_chunks[place].AsSpan(offset), told, (uint)look);
        _places[HashOf(told) & PlacesMask] = new Place(_lastChunk, offset);
        _pending++;
    }

    private bool TryMakeRoom(int bytes)
    {
        int place = PlaceOf(_lastChunk);
        if (_chunks[place] is not null && ChunkBytes - _used[place] >= bytes)
        {
            return true;
        }

        if (_chunks[place] is not null)
        {
            if (_lastChunk - _firstChunk + 1 >= _chunks.Length)
            {
                return false;
            }

            place = PlaceOf(++_lastChunk);
        }

        _chunks[place] = _spare ?? new byte[ChunkBytes];
        _spare = null;
        _used[place] = 0;
        return true;
    }

    private void DropFirst()
    {
        int place = PlaceOf(_firstChunk);
        _spare ??= _chunks[place];
        _chunks[place] = null;
        _takenOfFirst = 0;
        _firstChunk++;
        _lastChunk = Math.Max(_lastChunk, _firstChunk);
    }

    private void Lose(in FileEvent told)
    {
        _counts.Lost++;
        if (told.Directory != 0)
        {
            MarkChanged(told.Directory);
        }

        // Whoever looks at the directory's children does not find one that has left it.
        if (told.Child != 0 && (told.Directory == 0 || !IsOfContent(told)))
        {
            MarkChanged(told.Child);
        }
    }

    private void MarkChanged(ulong key)
    {
        if (_lostAll || _changed.Contains(key))
        {
            return;
        }

        if (_changed.Count < ChangedMax)
        {
            _changed.Add(key);
            _counts.Collapsed++;
        }
        else
        {
            LoseEverything();
        }
    }

    private void LoseEverything()
    {
        _counts.Lost += _pending;
        _counts.LostAll += _lostAll ? 0 : 1;
        DropMessages();
        _changed.Clear();
        _lostAll = true;
    }

    private void DropMessages()
    {
        // The last chunk too: places are told from older ones by its number.
        for (long last = _lastChunk; _firstChunk <= last;)
        {
            DropFirst();
        }

        _pending = 0;
    }

    private int PlaceOf(long chunk) => (int)(chunk % _chunks.Length);

    private static int HashOf(in FileEvent told) =>
        (int)(told.Directory != 0 ? XxHash64.Hash(told.Name, told.Directory) : told.Child);
}
