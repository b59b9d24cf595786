namespace Coherency.Host.Coherence.Holdings;

/// <summary>A record that a <see cref="NumberIndex{T}"/> can find.</summary>
internal interface IIndexedRecord<T>
    where T : unmanaged
{
    static abstract uint HashOf(in T record);

    /// <summary>The record after it among those of the same place.</summary>
    static abstract ref uint NextOf(ref T record);
}

/// <summary>
/// Finds records by their hash: linear hashing (Litwin, 1980), which grows by one place at a time, so that no single addition
/// takes long. Chains go through the records. Not thread-safe.
/// </summary>
internal sealed class NumberIndex<T>(NativeRecords<T> records) : IDisposable
    where T : unmanaged, IIndexedRecord<T>
{
    private const uint PlacesMin = 64;

    private readonly NativeRecords<uint> _places = new(records.Most + PlacesMin);
    private uint _count;

    /// <summary>Places before this round of growth, a power of two.</summary>
    private uint _round = PlacesMin;

    /// <summary>Of those, how many were divided in this round.</summary>
    private uint _divided;

    public long Bytes => _places.Bytes;

    /// <summary>The first record that may have that hash; 0 when there is none.</summary>
    public uint First(uint hash) => _count == 0 ? 0 : _places[PlaceOf(hash)];

    /// <summary>Begins to fetch what <see cref="First"/> will read. It needs no lock: at worst it fetches something else.</summary>
    public void Prefetch(uint hash) => _places.Prefetch(PlaceOf(hash));

    public uint Next(uint number) => T.NextOf(ref records[number]);

    public void Add(uint number)
    {
        _places.Reach(_round + _divided);
        Link(number, PlaceOf(T.HashOf(records[number])));
        if (++_count > _round + _divided)
        {
            Divide();
        }
    }

    public void Remove(uint number)
    {
        ref uint link = ref _places[PlaceOf(T.HashOf(records[number]))];
        while (link != number)
        {
            link = ref T.NextOf(ref records[link]);
        }

        link = T.NextOf(ref records[number]);
        _count--;
    }

    public void Clear()
    {
        _places.Clear();
        _count = 0;
        _round = PlacesMin;
        _divided = 0;
    }

    public void Dispose() => _places.Dispose();

    private uint PlaceOf(uint hash)
    {
        uint place = hash & ((2 * _round) - 1);
        return place < _round + _divided ? place : hash & (_round - 1);
    }

    private void Link(uint number, uint place)
    {
        T.NextOf(ref records[number]) = _places[place];
        _places[place] = number;
    }

    /// <summary>Divides the records of one place among it and a new one.</summary>
    private void Divide()
    {
        uint old = _divided;
        _places.Reach(_round + old);
        uint number = _places[old];
        _places[old] = 0;
        if (++_divided == _round)
        {
            _round *= 2;
            _divided = 0;
        }

        while (number != 0)
        {
            uint next = T.NextOf(ref records[number]);
            Link(number, PlaceOf(T.HashOf(records[number])));
            number = next;
        }
    }
}
