using System.Diagnostics;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Keeps every latency in an array made beforehand, so that percentiles are exact and recording allocates nothing. When the
/// array is full the run must end: dropping values would bend the percentiles.
/// </summary>
public sealed class LatencyRecorder(int capacity)
{
    private readonly long[] _ticks = new long[capacity];

    public int Count { get; private set; }

    public int Capacity => _ticks.Length;

    public void Add(long ticks) => _ticks[Count++] = ticks;

    public void Clear() => Count = 0;

    /// <summary>A copy of what was recorded since <paramref name="from"/>, in <see cref="Stopwatch"/> ticks.</summary>
    public long[] ToArray(int from = 0) => _ticks[from..Count];

    /// <summary>
    /// The smallest recorded latency that at least the fraction <paramref name="quantile"/> of all do not exceed, in
    /// microseconds; 0 when there are none. <paramref name="sorted"/> is in ascending order.
    /// </summary>
    public static double PercentileMicroseconds(long[] sorted, double quantile)
    {
        if (sorted.Length == 0)
        {
            return 0;
        }

        int rank = (int)Math.Ceiling(quantile * sorted.Length);
        return sorted[Math.Clamp(rank, 1, sorted.Length) - 1] * 1e6 / Stopwatch.Frequency;
    }
}
