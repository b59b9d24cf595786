using System.Diagnostics.Metrics;
using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>
/// Passes durations on to a histogram of OpenTelemetry, which takes them one by one: so many into each bucket as the daemon has
/// counted there, each with their mean, so that the sum is right too.
/// </summary>
internal sealed class HistogramFeed
{
    /// <summary>
    /// Most durations of one collection: at 100 ns each, a tenth of a second. When more have come, all buckets get the same part
    /// of theirs: the distribution is right, the number is not; that of the requests is, in a counter of its own.
    /// </summary>
    public const int RecordsMax = 1_000_000;

    private readonly DurationMetric _metric;
    private readonly Histogram<double> _histogram;
    private readonly Dictionary<object, Passed> _passed = [];

    public HistogramFeed(Meter meter, DurationMetric metric)
    {
        _metric = metric;
        _histogram = meter.CreateHistogram(
            metric.Name, DurationMetric.Unit, metric.Description, tags: null, new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = Bounds,
            });
    }

    /// <summary>The bounds that the histogram must have, in seconds.</summary>
    public static IReadOnlyList<double> Bounds { get; } =
        [.. DurationBuckets.Bounds.ToArray().Select(nanoseconds => nanoseconds / DurationMetric.NanosecondsPerSecond)];

    /// <summary>Passes on what has come since the last time. One thread at a time.</summary>
    public void PassOn()
    {
        DurationSeries[] all = [.. _metric.Read()];
        long coming = all.Sum(series => series.Totals.Count - (_passed.GetValueOrDefault(series.Key)?.Totals.Count ?? 0));
        double part = Math.Min(1, (double)RecordsMax / Math.Max(1, coming));
        foreach (DurationSeries series in all)
        {
            PassOn(series, part);
        }
    }

    private void PassOn(in DurationSeries series, double part)
    {
        Passed before = _passed.GetValueOrDefault(series.Key) ?? new Passed(new DurationTotals(), new double[DurationBuckets.Count]);
        for (int bucket = 0; bucket < DurationBuckets.Count; bucket++)
        {
            long count = series.Totals.Counts[bucket] - before.Totals.Counts[bucket];
            if (count > 0)
            {
                long nanoseconds = series.Totals.Nanoseconds[bucket] - before.Totals.Nanoseconds[bucket];
                double due = (count * part) + before.Rests[bucket];
                before.Rests[bucket] = due - Math.Floor(due);
                Record((long)due, MeanWithin(bucket, (double)nanoseconds / count), series.Tags);
            }
        }

        _passed[series.Key] = before with { Totals = series.Totals };
    }

    private void Record(long count, double nanoseconds, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        double seconds = nanoseconds / DurationMetric.NanosecondsPerSecond;
        for (long i = 0; i < count; i++)
        {
            _histogram.Record(seconds, tags);
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

    /// <summary>What has been passed on of a series, and the parts of durations that are still due.</summary>
    private sealed record Passed(DurationTotals Totals, double[] Rests);
}
