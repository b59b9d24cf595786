using System.Runtime.CompilerServices;

namespace Coherency.Host.Passthrough;

/// <summary>
/// How often a session was given each inode and did not forget it yet, by the <see cref="PinnedInode.Number"/> of its record,
/// which the session keeps in place by holding it. That takes 2.4 bytes an inode where the session holds most of those that were
/// looked up first at about the same time, and at most 152. Counts come back from the guest and are not believed: no more is
/// dropped than was given. Thread-safe, in shards with a lock each; who names a record must have it referenced.
/// </summary>
internal sealed class ReferenceCounts
{
    private const int ShardBits = 4;

    private readonly Shard[] _shards = CreateShards();

    /// <summary>Inodes that are there; of a moment ago when others add and drop.</summary>
    public int Count => _shards.Sum(shard => shard.Count);

    public bool Contains(uint number) => ShardOf(number).Contains(number >> ShardBits);

    /// <summary>Counts one more; true when the inode was not there before.</summary>
    public bool Add(uint number) => ShardOf(number).Add(number >> ShardBits);

    /// <summary>Counts less; true when that was the last, so that the inode is not there any more.</summary>
    public bool Subtract(uint number, ulong less) => ShardOf(number).Subtract(number >> ShardBits, less);

    /// <summary>Calls <paramref name="dropped"/> for every inode and forgets them all.</summary>
    public void Clear(Action<uint> dropped)
    {
        for (uint i = 0; i < _shards.Length; i++)
        {
            uint low = i;
            _shards[i].Clear(high => dropped((high << ShardBits) | low));
        }
    }

    /// <summary>Calls <paramref name="visit"/> for every inode, which must not come back here.</summary>
    public void Visit(Action<uint> visit)
    {
        for (uint i = 0; i < _shards.Length; i++)
        {
            uint low = i;
            _shards[i].Visit(high => visit((high << ShardBits) | low));
        }
    }

    private Shard ShardOf(uint number) => _shards[number & ((1 << ShardBits) - 1)];

    private static Shard[] CreateShards()
    {
        Shard[] shards = new Shard[1 << ShardBits];
        for (int i = 0; i < shards.Length; i++)
        {
            shards[i] = new Shard();
        }

        return shards;
    }

    /// <summary>Counts in groups, of which those that have none but zeros are not there.</summary>
    private sealed class Shard
    {
        /// <summary>Kept for the next that are needed: an inode that is given and forgotten again and again allocates nothing.</summary>
        private const int SparesMax = 4;

        /// <summary>What is put aside when a count would not fit any more: so much that it is seldom done.</summary>
        private const ushort SetAside = 1 << 15;

        private readonly Lock _lock = new();
        private readonly Stack<Group> _spares = new(SparesMax);

        /// <summary>What was put aside, by number.</summary>
        private readonly Dictionary<uint, ulong> _aside = [];

        private Group?[] _groups = new Group?[4];
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public bool Contains(uint number)
        {
            lock (_lock)
            {
                return GroupOf(number) is { } group && group.CountOf(number) != 0;
            }
        }

        public bool Add(uint number)
        {
            lock (_lock)
            {
                Group group = GroupOf(number) ?? AddGroup(number / Group.Size);
                ref ushort count = ref group.CountOf(number);
                if (count == ushort.MaxValue)
                {
                    count -= SetAside;
                    _aside[number] = _aside.GetValueOrDefault(number) + SetAside;
                }

                if (count++ != 0)
                {
                    return false;
                }

                group.Used++;
                _count++;
                return true;
            }
        }

        public bool Subtract(uint number, ulong less)
        {
            lock (_lock)
            {
                if (GroupOf(number) is not { } group || group.CountOf(number) == 0)
                {
                    return false;
                }

                ref ushort count = ref group.CountOf(number);
                count = less < count ? (ushort)(count - less) : TakeFromAside(number, less - count);
                if (count != 0)
                {
                    return false;
                }

                _count--;
                if (--group.Used == 0)
                {
                    RemoveGroup(number / Group.Size);
                }

                return true;
            }
        }

        public void Clear(Action<uint> dropped)
        {
            lock (_lock)
            {
                Visit(dropped);
                _groups = new Group?[4];
                _aside.Clear();
                _count = 0;
            }
        }

        public void Visit(Action<uint> visit)
        {
            lock (_lock)
            {
                for (uint number = 0; number < _groups.Length * Group.Size; number++)
                {
                    if (GroupOf(number) is { } group && group.CountOf(number) != 0)
                    {
                        visit(number);
                    }
                }
            }
        }

        private Group? GroupOf(uint number)
        {
            uint position = number / Group.Size;
            return position < _groups.Length ? _groups[position] : null;
        }

        private Group AddGroup(uint position)
        {
            if (position >= _groups.Length)
            {
                Array.Resize(ref _groups, Math.Max((int)position + 1, _groups.Length + (_groups.Length / 2)));
            }

            Group group = _spares.TryPop(out Group? spare) ? spare : new Group();
            _groups[position] = group;
            return group;
        }

        private void RemoveGroup(uint position)
        {
            if (_spares.Count < SparesMax)
            {
                _spares.Push(_groups[position]!);
            }

            _groups[position] = null;
        }

        /// <summary>For a count that has come down to nothing and is to go further down.</summary>
        /// <returns>What it is then.</returns>
        private ushort TakeFromAside(uint number, ulong less)
        {
            ulong left = _aside.GetValueOrDefault(number);
            left -= Math.Min(less, left);
            ushort count = (ushort)Math.Min(left, SetAside);
            if (left > count)
            {
                _aside[number] = left - count;
            }
            else
            {
                _aside.Remove(number);
            }

            return count;
        }
    }

    /// <summary>Counts of inodes with numbers that follow one another.</summary>
    private sealed class Group
    {
        public const int Size = 64;

        private Counts _counts;

        /// <summary>Counts that are not zero.</summary>
        public int Used { get; set; }

        public ref ushort CountOf(uint number) => ref _counts[(int)(number % Size)];

        [InlineArray(Size)]
        private struct Counts
        {
            private ushort _first;
        }
    }
}
