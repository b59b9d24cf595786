using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Coherency.Bench.Reports;
using Coherency.Bench.Results;

namespace Coherency.Tests.Bench;

/// <summary>What can be read in plots.</summary>
public class PlotTests
{
    [Fact]
    public void Every_line_is_named_and_no_name_covers_another()
    {
        Series[] series = [.. Enumerable.Range(0, 12)
            .Select(i => new Series($"contender-{i}", i, IsOurs: i == 0, [(1, Exactly(100)), (2, Exactly(100 + i))]))];
        Figure figure = Plots.Lines("title", "depth", "time", series);
        double[] places =
            [.. Texts(figure).Where(text => text.Text.StartsWith("contender", StringComparison.Ordinal)).Select(text => text.Y).Order()];
        Assert.Equal(series.Length, places.Length);
        Assert.All(places.Zip(places.Skip(1)), pair => Assert.True(pair.Second - pair.First > 10));
    }

    [Fact]
    public void The_values_of_the_horizontal_axis_are_those_that_were_measured()
    {
        Figure figure = Plots.Lines(
            "title", "depth", "time", [new Series("one", 0, IsOurs: true, [(1, Exactly(1)), (8, Exactly(2)), (128, Exactly(3))])]);
        string[] texts = [.. Texts(figure).Select(text => text.Text)];
        Assert.Empty(((string[])["1", "8", "128"]).Except(texts));
        Assert.Contains("one: 1.00 at 1, 2.00 at 8, 3.00 at 128.", figure.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_of_very_different_sizes_have_a_logarithmic_axis()
    {
        string[] texts = [.. Texts(Bars(1, 1000)).Select(text => text.Text)];
        Assert.Empty(((string[])["1", "10", "100", "1,000"]).Except(texts));
        Assert.DoesNotContain("100", Texts(Bars(10, 40)).Select(text => text.Text));
    }

    [Fact]
    public void A_stale_bar_says_so_in_words() => Assert.Contains(
        Texts(Plots.Bars("title", "time, s", [new Measure("peer", Exactly(1), IsOurs: false, Note: "stale")])),
        text => text.Text == "1.00, stale");

    private static Figure Bars(params double[] values) =>
        Plots.Bars(
            "title",
            "time, s",
            [.. values.Select((value, i) => new Measure($"contender {i}", Exactly(value), IsOurs: i == 0, Note: null))]);

    /// <summary>The texts of a drawing, and how far down each stands: Skia moves it there from the origin.</summary>
    private static IEnumerable<(string Text, double Y)> Texts(Figure figure) =>
        from element in XDocument.Parse(figure.Svg).Descendants()
        where element.Name.LocalName == "text"
        let place = Regex.Match(element.Attribute("transform")?.Value ?? "", @"^translate\([-\d.]+ ([-\d.]+)\)$")
        select (element.Value.Trim(), place.Success ? double.Parse(place.Groups[1].Value, CultureInfo.InvariantCulture) : 0);

    private static MedianEstimate Exactly(double value) => new(value, value, value, Samples: 5);
}
