namespace Coherency.Host.Passthrough;

/// <summary>
/// How often a session was given each node id and did not forget it yet: 16 bytes a place, open addressing, in shards with
/// a lock each. Counts come back from the guest and are not believed: no more is dropped than was given.
/// </summary>
internal sealed class ReferenceCounts
{
    private const int ShardBits = 4;

    private readonly Shard[] _shards = CreateShards();

    /// <summary>Nodes that are there; of a moment ago when others add and drop.</summary>
    public int Count => _shards.Sum(shard => shard.Used);

    public bool Contains(ulong node) => ShardOf(node).Contains(node);

    /// <summary>Counts one more; true when the node was not there before.</summary>
    public bool Add(ulong node) => ShardOf(node).Add(node);

    /// <summary>Counts less; true when that was the last, so that the node is not there any more.</summary>
    public bool Subtract(ulong node, ulong count) => ShardOf(node).Subtract(node, count);

    /// <summary>Calls <paramref name="dropped"/> for every node and forgets them all.</summary>
    public void Clear(Action<ulong> dropped)
    {
        foreach (Shard shard in _shards)
        {
            shard.Clear(dropped);
        }
    }

    /// <summary>Calls <paramref name="visit"/> for every node, which must not come back here.</summary>
    public void Visit(Action<ulong> visit)
    {
        foreach (Shard shard in _shards)
        {
            shard.Visit(visit);
        }
    }

    private Shard ShardOf(ulong node) => _shards[node >> (64 - ShardBits)];

    private static Shard[] CreateShards()
    {
        Shard[] shards = new Shard[1 << ShardBits];
        for (int i = 0; i < shards.Length; i++)
        {
            shards[i] = new Shard();
        }

        return shards;
    }

    private struct Place
    {
        /// <summary>0 in an empty place: no inode has that id.</summary>
        public ulong Node;
        public ulong Count;
    }

    private sealed class Shard
    {
        private readonly Lock _lock = new();
        private Place[] _places = new Place[16];
        private int _used;

        public int Used => Volatile.Read(ref _used);

        public bool Contains(ulong node)
        {
            lock (_lock)
            {
                return _places[Search(node)].Node == node && node != 0;
            }
        }

        public bool Add(ulong node)
        {
            lock (_lock)
            {
                ref Place place = ref _places[Search(node)];
                place.Count++;
                if (place.Node == node)
                {
                    return false;
                }

                place.Node = node;
                if (++_used * 4 > _places.Length * 3)
                {
                    Grow();
                }

                return true;
            }
        }

        public bool Subtract(ulong node, ulong count)
        {
            lock (_lock)
            {
                int found = Search(node);
                ref Place place = ref _places[found];
                if (place.Node != node || node == 0)
                {
                    return false;
                }

                place.Count -= Math.Min(count, place.Count);
                if (place.Count > 0)
                {
                    return false;
                }

                Remove(found);
                return true;
            }
        }

        public void Clear(Action<ulong> dropped)
        {
            lock (_lock)
            {
                Visit(dropped);
                _places = new Place[16];
                _used = 0;
            }
        }

        public void Visit(Action<ulong> visit)
        {
            lock (_lock)
            {
                foreach (Place place in _places)
                {
                    if (place.Node != 0)
                    {
                        visit(place.Node);
                    }
                }
            }
        }

        /// <summary>Where the node is, or where it would have to be.</summary>
        private int Search(ulong node)
        {
            int place = Home(node);
            while (_places[place].Node != node && _places[place].Node != 0)
            {
                place = Next(place);
            }

            return place;
        }

        /// <summary>Empties a place and closes the gap, so that no search stops short of what was placed after it.</summary>
        private void Remove(int gap)
        {
            int mask = _places.Length - 1;
            for (int place = Next(gap); _places[place].Node != 0; place = Next(place))
            {
                int home = Home(_places[place].Node);
                if (((place - home) & mask) >= ((place - gap) & mask))
                {
                    _places[gap] = _places[place];
                    gap = place;
                }
            }

            _places[gap] = default;
            _used--;
        }

        private void Grow()
        {
            Place[] old = _places;
            _places = new Place[old.Length * 2];
            foreach (Place place in old)
            {
                if (place.Node != 0)
                {
                    _places[Search(place.Node)] = place;
                }
            }
        }

        private int Home(ulong node) => (int)node & (_places.Length - 1);

        private int Next(int place) => (place + 1) & (_places.Length - 1);
    }
}
