namespace Coherency.Host.Server.Statistics;

/// <summary>
/// Keeps one request in so many of one thread until somebody takes them. The thread writes nothing but a struct into a ring;
/// when that is full, it drops the sample and counts it.
/// </summary>
/// <param name="every">One request of so many is kept; 1 keeps all.</param>
internal sealed class RequestSampler(int every)
{
    /// <summary>A power of two. Samples are taken several times a second.</summary>
    private const int Capacity = 1024;

    private readonly RequestSample[] _ring = new RequestSample[Capacity];
    private int _untilNext = every;
    private long _written;
    private long _taken;
    private long _dropped;

    public int Every { get; } = every;

    /// <summary>Samples for which there was no room.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>By the thread whose requests they are. Says whether it is this request's turn.</summary>
    public bool IsNext()
    {
        if (--_untilNext > 0)
        {
            return false;
        }

        _untilNext = Every;
        return true;
    }

    /// <summary>By the same thread.</summary>
    public void Keep(in RequestSample sample)
    {
        if (_written - Volatile.Read(ref _taken) >= Capacity)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            return;
        }

        _ring[_written & (Capacity - 1)] = sample;
        Volatile.Write(ref _written, _written + 1);
    }

    /// <summary>By one other thread at a time.</summary>
    public bool TryTake(out RequestSample sample)
    {
        sample = default;
        if (_taken == Volatile.Read(ref _written))
        {
            return false;
        }

        sample = _ring[_taken & (Capacity - 1)];
        Volatile.Write(ref _taken, _taken + 1);
        return true;
    }
}
