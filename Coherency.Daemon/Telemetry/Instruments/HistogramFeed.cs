using System.Diagnostics.Metrics;
using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>
/// Passes durations on that the daemon has counted in buckets of its own, where a histogram would be too dear: the same number
/// into each bucket of a histogram with the same bounds. Each with the mean of what was counted there, so that the sum is right.
/// </summary>
internal sealed class HistogramFeed(Histogram<double> histogram)
{
    private const double NanosecondsPerSecond = 1e9;

    private readonly Dictionary<object, DurationTotals> _passedOn = [];

    /// <summary>The bounds that the histogram must have, in seconds.</summary>
    public static IReadOnlyList<double> Bounds { get; } =
        [.. DurationBuckets.Bounds.ToArray().Select(nanoseconds => nanoseconds / NanosecondsPerSecond)];

    /// <summary>Passes on what has come since the last time. One thread at a time.</summary>
    /// <param name="series">What is counted.</param>
    /// <param name="tags">The same each time.</param>
    public void PassOn(object series, DurationTotals totals, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        DurationTotals? before = _passedOn.GetValueOrDefault(series);
        for (int bucket = 0; bucket < DurationBuckets.Count; bucket++)
        {
            long count = totals.Counts[bucket] - (before?.Counts[bucket] ?? 0);
            if (count > 0)
            {
                long nanoseconds = totals.Nanoseconds[bucket] - (before?.Nanoseconds[bucket] ?? 0);
                Record(count, MeanWithin(bucket, (double)nanoseconds / count), tags);
            }
        }

        _passedOn[series] = totals;
    }

    private void Record(long count, double nanoseconds, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        double seconds = nanoseconds / NanosecondsPerSecond;
        for (long i = 0; i < count; i++)
        {
            histogram.Record(seconds, tags);
        }
    }

    /// <summary>Number and sum were not read at one moment: their quotient may lie a little outside.</summary>
    private static double MeanWithin(int bucket, double mean)
    {
        ReadOnlySpan<long> bounds = DurationBuckets.Bounds;
        double lowest = bucket == 0 ? 0 : bounds[bucket - 1] + 1;
        double highest = bucket == bounds.Length ? double.MaxValue : bounds[bucket];
        return Math.Clamp(mean, lowest, highest);
    }
}
