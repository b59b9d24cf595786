using System.Numerics;

namespace Coherency.Host.Server.Statistics;

/// <summary>
/// The buckets that durations are counted in: 1, 2 and 5 of every power of ten from a microsecond to ten seconds, as
/// histograms have them everywhere. A duration is in the first bucket whose bound it does not exceed.
/// </summary>
public static class DurationBuckets
{
    /// <summary>One more than there are bounds: the last bucket has none.</summary>
    public const int Count = 23;

    /// <summary>By the binary logarithm of a duration: its bucket, or the one before it.</summary>
    private static readonly byte[] FirstOfMagnitude = CreateFirstOfMagnitude();

    /// <summary>Upper bounds, inclusive, in nanoseconds.</summary>
    public static ReadOnlySpan<long> Bounds =>
    [
        1_000, 2_000, 5_000,
        10_000, 20_000, 50_000,
        100_000, 200_000, 500_000,
        1_000_000, 2_000_000, 5_000_000,
        10_000_000, 20_000_000, 50_000_000,
        100_000_000, 200_000_000, 500_000_000,
        1_000_000_000, 2_000_000_000, 5_000_000_000,
        10_000_000_000,
    ];

    /// <summary>The bucket of a duration. Bounds are at least a factor of two apart, so that two are looked at.</summary>
    public static int IndexOf(long nanoseconds)
    {
        int first = FirstOfMagnitude[BitOperations.Log2((ulong)nanoseconds | 1)];
        return first < Bounds.Length && nanoseconds > Bounds[first] ? first + 1 : first;
    }

    private static byte[] CreateFirstOfMagnitude()
    {
        byte[] first = new byte[64];
        for (int magnitude = 0; magnitude < first.Length; magnitude++)
        {
            foreach (long bound in Bounds)
            {
                first[magnitude] += (byte)((ulong)bound < 1UL << magnitude ? 1 : 0);
            }
        }

        return first;
    }
}
