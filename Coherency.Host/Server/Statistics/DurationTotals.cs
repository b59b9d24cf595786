namespace Coherency.Host.Server.Statistics;

/// <summary>Durations that were counted, from the start on: how many fell into each bucket, and their sum there.</summary>
public sealed class DurationTotals
{
    /// <summary>By the index of <see cref="DurationBuckets"/>.</summary>
    public long[] Counts { get; } = new long[DurationBuckets.Count];

    /// <summary>By the same index, in nanoseconds.</summary>
    public long[] Nanoseconds { get; } = new long[DurationBuckets.Count];

    public long Count => Counts.Sum();

    /// <summary>The bound of the bucket that a quantile is in; null when nothing was counted.</summary>
    public TimeSpan? Quantile(double quantile)
    {
        double before = quantile * Count;
        long seen = 0;
        for (int bucket = 0; bucket < Counts.Length; bucket++)
        {
            seen += Counts[bucket];
            if (seen > 0 && seen >= before)
            {
                return TimeSpan.FromTicks(
                    DurationBuckets.Bounds[Math.Min(bucket, DurationBuckets.Bounds.Length - 1)] / TimeSpan.NanosecondsPerTick);
            }
        }

        return null;
    }

    internal void Add(int bucket, long count, long nanoseconds)
    {
        Counts[bucket] += count;
        Nanoseconds[bucket] += nanoseconds;
    }
}
