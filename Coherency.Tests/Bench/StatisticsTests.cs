using Coherency.Bench.Results;

namespace Coherency.Tests.Bench;

/// <summary>What the benchmark says of samples, compared with numbers worked out by hand.</summary>
public class StatisticsTests
{
    [Fact]
    public void The_median_is_the_middle_sample_and_lies_in_its_interval()
    {
        MedianEstimate estimate = Statistics.EstimateMedian([5, 1, 4, 2, 100]);
        Assert.Equal(4, estimate.Median);
        Assert.True(estimate.HasInterval);
        Assert.True(estimate.Low < 4 && estimate.High > 4, $"{estimate.Low} to {estimate.High}");
    }

    [Fact]
    public void Counts_that_repeat_have_an_interval_of_no_width()
    {
        MedianEstimate estimate = Statistics.EstimateMedian([3, 3, 3, 3]);
        Assert.Equal(3, estimate.Median);
        Assert.Equal(3, estimate.Low, precision: 9);
        Assert.Equal(3, estimate.High, precision: 9);
    }

    [Fact]
    public void Two_samples_have_a_median_and_no_interval()
    {
        MedianEstimate estimate = Statistics.EstimateMedian([1, 2]);
        Assert.Equal(new MedianEstimate(1.5, 1.5, 1.5, 2), estimate);
        Assert.False(estimate.HasInterval);
    }

    [Fact]
    public void No_sample_is_an_error_and_not_a_zero() =>
        Assert.Contains(
            "nothing was measured",
            Assert.Throws<ArgumentException>(() => Statistics.EstimateMedian([])).Message,
            StringComparison.Ordinal);

    /// <summary>Of the 252 ways to arrange five and five samples, one in each direction separates them.</summary>
    [Fact]
    public void Samples_that_do_not_overlap_are_as_unlikely_as_counting_says() =>
        Assert.Equal(2.0 / 252, Statistics.DifferenceByChance([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), precision: 9);

    [Fact]
    public void The_direction_of_a_difference_does_not_matter()
    {
        double[] low = [1, 3, 5, 7, 9, 11];
        double[] high = [4, 6, 8, 10, 12, 14];
        Assert.Equal(Statistics.DifferenceByChance(low, high), Statistics.DifferenceByChance(high, low), precision: 9);
        Assert.Equal(1, Statistics.DifferenceByChance(low, low));
    }

    /// <summary>Benjamini and Hochberg: p times the number of tests by its rank, no larger than the next one's.</summary>
    [Fact]
    public void Many_comparisons_make_each_less_certain()
    {
        double[] adjusted = Statistics.AdjustForMany([0.04, 0.01, 0.5, 0.02]);
        Assert.Equal(0.04 * 4 / 3, adjusted[0], precision: 9);
        Assert.Equal(0.01 * 4 / 1, adjusted[1], precision: 9);
        Assert.Equal(0.5, adjusted[2], precision: 9);
        Assert.Equal(0.02 * 4 / 2, adjusted[3], precision: 9);
        Assert.Empty(Statistics.AdjustForMany([]));
    }
}
