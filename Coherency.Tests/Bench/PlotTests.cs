using System.Xml.Linq;
using Coherency.Bench.Reports.Plots;
using Coherency.Bench.Results;

namespace Coherency.Tests.Bench;

/// <summary>Where things lie in plots.</summary>
public class PlotTests
{
    [Theory]
    [InlineData(9.7, new double[] { 0, 2, 4, 6, 8, 10 })]
    [InlineData(0.42, new[] { 0, 0.1, 0.2, 0.3, 0.4, 0.5 })]
    [InlineData(1, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    public void A_linear_axis_has_round_ticks_from_zero_to_beyond_the_largest(double max, double[] ticks) =>
        Assert.Equal(ticks, Scale.Linear(max).Ticks.Select(tick => Math.Round(tick, 9)));

    [Theory]
    [InlineData(3, 70, new double[] { 2, 5, 10, 20, 50, 100 })]
    [InlineData(0.5, 20_000, new[] { 0.1, 1, 10, 100, 1000, 10_000, 100_000 })]
    [InlineData(1, 1000, new double[] { 1, 10, 100, 1000 })]
    public void A_logarithmic_axis_holds_all_values(double min, double max, double[] ticks) =>
        Assert.Equal(ticks, Scale.Logarithmic(min, max).Ticks.Select(tick => Math.Round(tick, 9)));

    [Fact]
    public void Factors_are_distances_on_a_logarithmic_axis()
    {
        Scale scale = Scale.Logarithmic(1, 10_000);
        Assert.Equal(0.25, scale.Place(10), tolerance: 1e-9);
        Assert.Equal(0.5, scale.Place(100), tolerance: 1e-9);
        Assert.Equal(0, scale.Place(-3));
    }

    [Fact]
    public void Names_beside_lines_do_not_cover_each_other()
    {
        Series[] series = [.. Enumerable.Range(0, 12).Select(i => new Series($"contender {i}", i, IsOurs: i == 0, [(1, Exactly(100)), (2, Exactly(100 + i))]))];
        double[] places =
        [
            .. new LinePlot("title", "depth", "time", series).Draw().Descendants("text")
                .Where(text => text.Attribute("class")!.Value.StartsWith("name", StringComparison.Ordinal))
                .Select(text => (double)text.Attribute("y")!).Order(),
        ];
        Assert.Equal(series.Length, places.Length);
        Assert.All(places.Zip(places.Skip(1)), pair => Assert.True(pair.Second - pair.First > 12));
    }

    [Fact]
    public void Lengths_of_bars_are_in_proportion()
    {
        XElement[] bars = [.. Bars(10, 40).Descendants("rect")];
        Assert.Equal(4, (double)bars[1].Attribute("width")! / (double)bars[0].Attribute("width")!, tolerance: 0.01);
    }

    [Fact]
    public void Values_of_very_different_sizes_are_dots_on_a_logarithmic_axis()
    {
        XElement plot = Bars(1, 1000);
        Assert.Empty(plot.Descendants("rect"));
        Assert.Equal(2, plot.Descendants("circle").Count());
        Assert.Contains(plot.Descendants("text"), text => text.Value.EndsWith("logarithmic", StringComparison.Ordinal));
    }

    [Fact]
    public void A_stale_bar_says_so_in_words() =>
        Assert.Contains(
            new BarPlot("title", "time, s", [new Bar("peer", Exactly(1), IsOurs: false, Note: "stale")]).Draw().Descendants("text"),
            text => text.Value == "1.00, stale");

    private static XElement Bars(params double[] values) =>
        new BarPlot("title", "time, s", [.. values.Select((value, i) => new Bar($"contender {i}", Exactly(value), IsOurs: i == 0, Note: null))]).Draw();

    private static MedianEstimate Exactly(double value) => new(value, value, value, Samples: 5);
}
