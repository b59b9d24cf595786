using System.Xml.Linq;
using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Plots;

/// <param name="Note">Behind the value, such as that the contender was stale.</param>
internal sealed record Bar(string Name, MedianEstimate Value, bool IsOurs, string? Note);

/// <summary>One figure of each contender, with its interval.</summary>
internal sealed record BarPlot(string Title, string XTitle, IReadOnlyList<Bar> Bars)
{
    private const double Width = 560;
    private const double Left = 168;
    private const double Right = Width - 100;
    private const double Top = 8;
    private const double RowHeight = 24;
    private const double Thickness = 12;
    private const double FootHeight = 46;
    private const double TextDrop = 4;

    /// <summary>
    /// Beyond this range the short bars could not be told apart. Then the axis is logarithmic, and has dots: lengths mean nothing there.
    /// </summary>
    private const double LinearRange = 40;

    private double Bottom => Top + (Bars.Count * RowHeight);

    public XElement Draw()
    {
        double max = Bars.Max(bar => bar.Value.High);
        double min = Bars.Min(bar => bar.Value.Median);
        bool isLogarithmic = min > 0 && max / min > LinearRange;
        Scale scale = isLogarithmic ? Scale.Logarithmic(min, max) : Scale.Linear(max > 0 ? max : 1);
        return Svg.Drawing(
            Width,
            Bottom + FootHeight,
            Title,
            Describe(),
            DrawAxis(scale, isLogarithmic),
            Bars.Select((bar, row) => DrawBar(bar, Top + ((row + 0.5) * RowHeight), scale, isLogarithmic)));
    }

    private IEnumerable<XElement> DrawAxis(Scale scale, bool isLogarithmic)
    {
        foreach (double tick in scale.Ticks)
        {
            yield return Svg.Line("grid", Place(scale, tick), Top, Place(scale, tick), Bottom);
            yield return Svg.Label("tick", Place(scale, tick), Bottom + 16, "middle", Readable.Short(tick));
        }

        yield return Svg.Label("axis-title", (Left + Right) / 2, Bottom + 36, "middle", isLogarithmic ? XTitle + ", logarithmic" : XTitle);
    }

    private static IEnumerable<XElement> DrawBar(Bar bar, double y, Scale scale, bool isLogarithmic)
    {
        string look = (bar.IsOurs ? "ours" : "peer") + (bar.Note is null ? "" : " stale");
        double end = Place(scale, bar.Value.Median);
        yield return Svg.Label(bar.IsOurs ? "name ours" : "name", Left - 8, y + TextDrop, "end", bar.Name);
        XElement interval = Svg.Line("interval", Place(scale, bar.Value.Low), y, Place(scale, bar.Value.High), y);
        XElement[] figure = isLogarithmic
            ? [interval, Svg.Circle($"bar {look}", end, y, Thickness / 2.5)]
            : [Svg.Rectangle($"bar {look}", Left, y - (Thickness / 2), Math.Max(1, end - Left), Thickness), interval];
        foreach (XElement element in figure)
        {
            yield return element;
        }

        string value = Readable.Number(bar.Value.Median);
        yield return Svg.Label(
            bar.Note is null ? "value" : "value stale",
            Place(scale, bar.Value.High) + 8,
            y + TextDrop,
            "start",
            bar.Note is null ? value : $"{value}, {bar.Note}");
    }

    private string Describe() => $"{XTitle}. " + string.Join(" ", Bars.Select(bar =>
        $"{bar.Name}: {Readable.Number(bar.Value.Median)}{(bar.Note is null ? "" : ", " + bar.Note)}."));

    private static double Place(Scale scale, double value) => Left + (scale.Place(value) * (Right - Left));
}
