namespace Coherency.Host.Server.Statistics;

/// <summary>Counts durations of one kind. One thread counts; any may read, and sees counts that are a moment old.</summary>
public sealed class DurationRecorder
{
    private readonly long[] _counts = new long[DurationBuckets.Count];
    private readonly long[] _nanoseconds = new long[DurationBuckets.Count];

    public DurationTotals Read()
    {
        DurationTotals totals = new();
        for (int bucket = 0; bucket < DurationBuckets.Count; bucket++)
        {
            totals.Add(bucket, Volatile.Read(ref _counts[bucket]), Volatile.Read(ref _nanoseconds[bucket]));
        }

        return totals;
    }

    internal void Record(long nanoseconds)
    {
        int bucket = DurationBuckets.IndexOf(nanoseconds);
        Volatile.Write(ref _counts[bucket], _counts[bucket] + 1);
        Volatile.Write(ref _nanoseconds[bucket], _nanoseconds[bucket] + nanoseconds);
    }
}
