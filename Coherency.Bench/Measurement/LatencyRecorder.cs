using System.Diagnostics;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Keeps every latency in an array made beforehand, so that percentiles are exact and recording allocates nothing. When the
/// array is full the run must end: dropping values would bend the percentiles.
/// </summary>
internal sealed class LatencyRecorder(int capacity)
{
    private readonly long[] _ticks = new long[capacity];

    public int Count { get; private set; }

    public int Capacity => _ticks.Length;

    public void Add(long ticks) => _ticks[Count++] = ticks;

    public void Clear() => Count = 0;

    /// <summary>What was recorded, in <see cref="Stopwatch"/> ticks.</summary>
    public ReadOnlySpan<long> Recorded => _ticks.AsSpan(0, Count);

    /// <summary>
    /// The smallest recorded latency that at least the fraction <paramref name="quantile"/> of all do not exceed, in
    /// microseconds. <paramref name="sorted"/> is in ascending order and not empty.
    /// </summary>
    public static double PercentileMicroseconds(long[] sorted, double quantile)
    {
        int rank = (int)Math.Ceiling(quantile * sorted.Length);
        return sorted[Math.Clamp(rank, 1, sorted.Length) - 1] * 1e6 / Stopwatch.Frequency;
    }
}
