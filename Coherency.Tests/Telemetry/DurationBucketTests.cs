using Coherency.Host.Server.Statistics;

namespace Coherency.Tests.Telemetry;

public sealed class DurationBucketTests
{
    /// <summary>The quick way to a bucket is the same as looking at all bounds, at each of them and beside it.</summary>
    [Fact]
    public void A_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed()
    {
        Assert.Equal(DurationBuckets.Count, DurationBuckets.Bounds.Length + 1);
        IEnumerable<long> edges = DurationBuckets.Bounds.ToArray().SelectMany(bound => new[] { bound - 1, bound, bound + 1 });
        IEnumerable<long> powers = Enumerable.Range(0, 62).SelectMany(power => new[] { (1L << power) - 1, 1L << power, (1L << power) + 1 });
        foreach (long duration in edges.Concat(powers).Append(0).Append(long.MaxValue))
        {
            int expected = DurationBuckets.Bounds.ToArray().Count(bound => bound < duration);
            Assert.True(
                DurationBuckets.IndexOf(duration) == expected, $"{duration} ns: {DurationBuckets.IndexOf(duration)} instead of {expected}");
        }
    }

    [Fact]
    public void A_clock_that_went_back_harms_nobody() => Assert.InRange(DurationBuckets.IndexOf(-5), 0, DurationBuckets.Count - 1);
}
