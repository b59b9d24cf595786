namespace Coherency.Host.Server.Statistics;

/// <summary>Durations that were counted, from the start on: how many fell into each bucket, and their sum there.</summary>
public sealed class DurationTotals
{
    /// <summary>By the index of <see cref="DurationBuckets"/>.</summary>
    public long[] Counts { get; } = new long[DurationBuckets.Count];

    /// <summary>By the same index, in nanoseconds.</summary>
    public long[] Nanoseconds { get; } = new long[DurationBuckets.Count];

    public long Count => Counts.Sum();

    internal void Add(int bucket, long count, long nanoseconds)
    {
        Counts[bucket] += count;
        Nanoseconds[bucket] += nanoseconds;
    }
}
