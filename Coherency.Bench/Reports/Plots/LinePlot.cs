using System.Xml.Linq;
using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Plots;

/// <param name="Style">Of colour and dashes; a contender has the same in every plot.</param>
/// <param name="Points">From left to right, at least one.</param>
internal sealed record Series(string Name, int Style, bool IsOurs, IReadOnlyList<(double X, MedianEstimate Y)> Points);

/// <summary>How something grows with something else: a line for each contender, named at its end.</summary>
internal sealed record LinePlot(string Title, string XTitle, string YTitle, IReadOnlyList<Series> Series)
{
    /// <summary>How values of the horizontal axis are written.</summary>
    public Func<double, string> XText { get; init; } = Readable.Short;

    private const double Width = 560;
    private const double Height = 330;
    private const double Left = 62;
    private const double Right = Width - 168;
    private const double Top = 14;
    private const double Bottom = Height - 50;
    private const double LabelHeight = 15;
    private const double TextDrop = 4;

    /// <summary>Beyond this range small values would lie on the axis.</summary>
    private const double LinearRange = 8;

    private const int Colours = 6;
    private const int Dashes = 3;

    public XElement Draw()
    {
        double[] xs = [.. Series.SelectMany(series => series.Points).Select(point => point.X).Distinct().Order()];
        Scale horizontal = Scale.Steps(xs);
        Scale vertical = VerticalScale();
        return Svg.Drawing(
            Width,
            Height,
            Title,
            Describe(),
            DrawAxes(horizontal, vertical),
            Series.Select(series => DrawSeries(series, horizontal, vertical)),
            DrawNames(horizontal, vertical));
    }

    private Scale VerticalScale()
    {
        // By the medians: the lower end of an interval may be 0 or less, which a logarithmic axis does not have.
        MedianEstimate[] values = [.. Series.SelectMany(series => series.Points).Select(point => point.Y)];
        double max = values.Max(value => value.High);
        double min = values.Min(value => value.Median);
        return min > 0 && max / min > LinearRange ? Scale.Logarithmic(min, max) : Scale.Linear(max > 0 ? max : 1);
    }

    private IEnumerable<XElement> DrawAxes(Scale horizontal, Scale vertical)
    {
        foreach (double tick in vertical.Ticks)
        {
            double y = PlaceY(vertical, tick);
            yield return Svg.Line("grid", Left, y, Right, y);
            yield return Svg.Label("tick", Left - 6, y + TextDrop, "end", Readable.Short(tick));
        }

        foreach (double tick in horizontal.Ticks)
        {
            double x = PlaceX(horizontal, tick);
            yield return Svg.Line("axis", x, Bottom, x, Bottom + 4);
            yield return Svg.Label("tick", x, Bottom + 18, "middle", XText(tick));
        }

        yield return Svg.Line("axis", Left, Bottom, Right, Bottom);
        yield return Svg.Label("axis-title", (Left + Right) / 2, Height - 10, "middle", XTitle);
        yield return Svg.Upright("axis-title", 14, (Top + Bottom) / 2, YTitle);
    }

    private static IEnumerable<XElement> DrawSeries(Series series, Scale horizontal, Scale vertical)
    {
        string look = LookOf(series);
        foreach ((double x, MedianEstimate y) in series.Points)
        {
            yield return Svg.Line($"whisker {look}", PlaceX(horizontal, x), PlaceY(vertical, y.Low), PlaceX(horizontal, x), PlaceY(vertical, y.High));
        }

        yield return Svg.Polyline($"line {look}", series.Points.Select(point => (PlaceX(horizontal, point.X), PlaceY(vertical, point.Y.Median))));
        foreach ((double x, MedianEstimate y) in series.Points)
        {
            yield return Svg.Circle($"dot {look}", PlaceX(horizontal, x), PlaceY(vertical, y.Median), series.IsOurs ? 4 : 3);
        }
    }

    /// <summary>Names beside the ends of their lines, pushed apart where lines end close together.</summary>
    private IEnumerable<XElement> DrawNames(Scale horizontal, Scale vertical)
    {
        Series[] fromTop = [.. Series.OrderBy(series => PlaceY(vertical, series.Points[^1].Y.Median))];
        double[] places = [.. fromTop.Select(series => PlaceY(vertical, series.Points[^1].Y.Median))];
        for (int i = 1; i < places.Length; i++)
        {
            places[i] = Math.Max(places[i], places[i - 1] + LabelHeight);
        }

        double limit = Bottom + LabelHeight;
        for (int i = places.Length - 1; i >= 0; i--)
        {
            places[i] = Math.Min(places[i], limit);
            limit = places[i] - LabelHeight;
        }

        return fromTop.SelectMany((series, i) => DrawName(
            series, PlaceX(horizontal, series.Points[^1].X), PlaceY(vertical, series.Points[^1].Y.Median), places[i]));
    }

    private static IEnumerable<XElement> DrawName(Series series, double endX, double endY, double place) =>
    [
        Svg.Line($"leader {LookOf(series)}", endX + 8, endY, Right + 18, place),
        Svg.Label($"name {LookOf(series)}", Right + 22, place + TextDrop, "start", series.Name),
    ];

    private static string LookOf(Series series) =>
        $"colour-{series.Style % Colours} dash-{series.Style / Colours % Dashes}{(series.IsOurs ? " ours" : "")}";

    private string Describe() => $"{YTitle} by {XTitle}. " + string.Join(" ", Series.Select(series =>
        $"{series.Name}: {string.Join(", ", series.Points.Select(point => $"{Readable.Number(point.Y.Median)} at {XText(point.X)}"))}."));

    private static double PlaceX(Scale scale, double value) => Left + 8 + (scale.Place(value) * (Right - Left - 16));

    private static double PlaceY(Scale scale, double value) => Bottom - (scale.Place(value) * (Bottom - Top));
}
