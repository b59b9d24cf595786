using Coherency.Bench.Results;

namespace Coherency.Tests.Bench;

/// <summary>Two made-up runs, of which it is known what changed.</summary>
public class ComparisonTests
{
    private const double Threshold = 0.05;

    private static readonly double[] Around100 = [98, 101, 100, 99, 102, 100.5, 99.5, 101.5, 98.5, 100.2];
    private static readonly double[] Around120 = [.. Around100.Select(sample => sample * 1.2)];
    private static readonly double[] Around103 = [.. Around100.Select(sample => sample + 10).Select(sample => sample * 0.94)];

    [Fact]
    public void A_longer_latency_is_worse_and_a_shorter_one_better()
    {
        Assert.Equal(Verdict.Worse, Verdicts(Quantity.LatencyP50, Around100, Around120));
        Assert.Equal(Verdict.Better, Verdicts(Quantity.LatencyP50, Around120, Around100));
    }

    [Fact]
    public void A_higher_rate_is_better_and_a_lower_one_worse()
    {
        Assert.Equal(Verdict.Better, Verdicts(Quantity.Rate, Around100, Around120));
        Assert.Equal(Verdict.Worse, Verdicts(Quantity.Rate, Around120, Around100));
    }

    [Fact]
    public void A_difference_below_the_threshold_is_none() =>
        Assert.Equal(Verdict.Same, Verdicts(Quantity.LatencyP50, Around100, Around103));

    [Fact]
    public void A_threshold_of_zero_leaves_it_to_chance_alone()
    {
        Comparison comparison = Comparison.Of([Row(Quantity.LatencyP50, Around100)], [Row(Quantity.LatencyP50, Around103)], threshold: 0);
        Assert.Equal(Verdict.Worse, Assert.Single(comparison.Figures).Verdict);
    }

    /// <summary>Twice the median, but so scattered that it may be chance.</summary>
    [Fact]
    public void A_large_difference_that_may_be_chance_is_none() =>
        Assert.Equal(Verdict.Same, Verdicts(Quantity.LatencyP50, [10, 100, 50, 300, 90], [20, 200, 95, 310, 180]));

    [Fact]
    public void One_request_more_is_worse_however_small_a_part_it_is()
    {
        Assert.Equal(Verdict.Worse, Verdicts(Quantity.Requests, [1000], [1001]));
        Assert.Equal(Verdict.Better, Verdicts(Quantity.Requests, [1001], [1000]));
        Assert.Equal(Verdict.Same, Verdicts(Quantity.Requests, [1000], [1000]));
    }

    [Fact]
    public void What_only_one_run_measured_is_named()
    {
        Observation gone = Row(Quantity.Rate, Around100) with { Scenario = "gone" };
        Observation added = Row(Quantity.Rate, Around100) with { Scenario = "added" };
        Observation refused = Row(Quantity.Rate, []) with { Scenario = "refused", Remark = "it has one request queue" };
        Comparison comparison = Comparison.Of([gone, refused with { Samples = Around100 }], [added, refused], Threshold);
        Assert.Equal(
            [("gone", Verdict.OnlyBefore), ("refused", Verdict.OnlyBefore), ("added", Verdict.OnlyAfter)],
            comparison.Figures.Select(figure => (figure.After.Scenario, figure.Verdict)));
        Assert.False(comparison.HasRegression);
    }

    [Fact]
    public void Other_conditions_are_another_figure()
    {
        Observation deep = Row(Quantity.Rate, Around120) with { Conditions = new Conditions(Depth: 32) };
        Comparison comparison = Comparison.Of([deep], [Row(Quantity.Rate, Around100)], Threshold);
        Assert.DoesNotContain(comparison.Figures, figure => figure.Verdict is Verdict.Worse or Verdict.Same);
    }

    /// <summary>2/252 for five rounds each: enough for one figure, not for a hundred.</summary>
    [Fact]
    public void Too_few_rounds_for_so_many_figures_are_told()
    {
        Observation[] one = [Row(Quantity.Rate, Around100[..5])];
        Assert.True(Comparison.Of(one, one, Threshold).FindsSingleDifferences);
        Observation[] many = [.. Enumerable.Range(0, 100).Select(i => one[0] with { Scenario = $"{i}" })];
        Assert.False(Comparison.Of(many, many, Threshold).FindsSingleDifferences);
    }

    private static Verdict Verdicts(Quantity quantity, double[] before, double[] after)
    {
        Comparison comparison = Comparison.Of([Row(quantity, before)], [Row(quantity, after)], Threshold);
        ComparedFigure figure = Assert.Single(comparison.Figures);
        Assert.Equal(figure.Verdict == Verdict.Worse, comparison.HasRegression);
        return figure.Verdict;
    }

    private static Observation Row(Quantity quantity, double[] samples) =>
        new(BenchLevel.Daemon, "lookup", "LOOKUP", new Conditions(Depth: 1), "coherencyd auto", quantity, samples);
}
