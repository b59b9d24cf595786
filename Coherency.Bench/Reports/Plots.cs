using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace Coherency.Bench.Reports;

/// <param name="Style">Of colour and dashes; a contender has the same in every plot.</param>
/// <param name="Points">From left to right, at least one; X is more than 0.</param>
internal sealed record Series(string Name, int Style, bool IsOurs, IReadOnlyList<(double X, MedianEstimate Y)> Points);

/// <param name="Note">Behind the value, such as that the contender was stale.</param>
internal sealed record Measure(string Name, MedianEstimate Value, bool IsOurs, string? Note);

/// <summary>Drawings of figures with their intervals.</summary>
internal static class Plots
{
    private const int Width = 640;
    private const int Height = 330;
    private const int RowHeight = 24;
    private const int FrameHeight = 70;

    /// <summary>
    /// Beyond this range between the least and the most, the small values would lie on the axis, which is logarithmic then.
    /// </summary>
    private const double LinearRange = 8;

    private static readonly LinePattern[] Dashes = [LinePattern.Solid, LinePattern.Dashed, LinePattern.Dotted];
    private static readonly ScottPlot.Palettes.Category10 Colours = new();
    private static readonly Color Ours = Color.FromHex("#0067a8");
    private static readonly Color Peers = Color.FromHex("#8b95a1");

    /// <summary>How something grows with something else, which grows by factors: a line for each series.</summary>
    public static Figure Lines(string title, string xTitle, string yTitle, IReadOnlyList<Series> series)
    {
        using Plot plot = new();
        (Func<double, double> place, _) = ScaleOf([.. series.SelectMany(line => line.Points).Select(point => point.Y)], plot.Axes.Left);
        foreach (Series line in series)
        {
            double[] xs = [.. line.Points.Select(point => Math.Log2(point.X))];
            double[] ys = [.. line.Points.Select(point => place(point.Y.Median))];
            Scatter scatter = plot.Add.Scatter(xs, ys, Colours.GetColor(line.Style));
            scatter.LegendText = line.Name;
            scatter.LineWidth = line.IsOurs ? 3 : 1.5f;
            scatter.LinePattern = Dashes[line.Style / Colours.Colors.Length % Dashes.Length];
            plot.Add.Plottable(new ErrorBar(
                xs,
                ys,
                null,
                null,
                [.. line.Points.Select((point, i) => ys[i] - place(Math.Max(point.Y.Low, point.Y.Median / LinearRange)))],
                [.. line.Points.Select((point, i) => place(point.Y.High) - ys[i])])
            { Color = scatter.Color });
        }

        double[] values = [.. series.SelectMany(line => line.Points).Select(point => point.X).Distinct().Order()];
        plot.Axes.Bottom.SetTicks([.. values.Select(Math.Log2)], [.. values.Select(Readable.Short)]);
        plot.XLabel(xTitle);
        plot.YLabel(yTitle);
        plot.ShowLegend(Edge.Right);
        string description = $"{yTitle} by {xTitle}. " + string.Join(" ", series.Select(line =>
            $"{line.Name}: " +
            string.Join(", ", line.Points.Select(point => $"{Readable.Number(point.Y.Median)} at {Readable.Short(point.X)}")) +
            "."));
        return new Figure(title, description, plot.GetSvgXml(Width, Height));
    }

    /// <summary>One figure of each contender: bars, or dots where the axis is logarithmic and lengths would mean nothing.</summary>
    public static Figure Bars(string title, string xTitle, IReadOnlyList<Measure> measures)
    {
        using Plot plot = new();
        (Func<double, double> place, bool isLogarithmic) = ScaleOf([.. measures.Select(measure => measure.Value)], plot.Axes.Bottom);
        for (int row = 0; row < measures.Count; row++)
        {
            Measure measure = measures[row];
            double end = place(measure.Value.Median);
            Color color = measure.IsOurs ? Ours : Peers;
            if (isLogarithmic)
            {
                plot.Add.Marker(end, -row, color: color);
            }
            else
            {
                double error = (measure.Value.High - measure.Value.Low) / 2;
                plot.Add.Bar(
                    new Bar
                    {
                        Orientation = Orientation.Horizontal,
                        Position = -row,
                        Value = end,
                        Error = error,
                        FillColor = color,
                        Size = 0.5,
                    });
            }

            Text value = plot.Add.Text(" " + Describe(measure), place(measure.Value.High), -row);
            value.Alignment = Alignment.MiddleLeft;
        }

        plot.Axes.Left.SetTicks([.. measures.Select((_, row) => -(double)row)], [.. measures.Select(measure => measure.Name)]);
        plot.Axes.Margins(horizontal: 0.3);
        plot.XLabel(xTitle);
        string description = $"{xTitle}. " + string.Join(" ", measures.Select(measure => $"{measure.Name}: {Describe(measure)}."));
        return new Figure(title, description, plot.GetSvgXml(Width, FrameHeight + (measures.Count * RowHeight)));
    }

    private static string Describe(Measure measure) =>
        measure.Note is null ? Readable.Number(measure.Value.Median) : $"{Readable.Number(measure.Value.Median)}, {measure.Note}";

    /// <summary>Where values lie on an axis, which gets the ticks for it: from 0, or at their logarithms.</summary>
    private static (Func<double, double> Place, bool IsLogarithmic) ScaleOf(IReadOnlyList<MedianEstimate> values, IAxis axis)
    {
        // By the medians: the lower end of an interval may be 0 or less, which a logarithmic axis does not have.
        double min = values.Min(value => value.Median);
        bool isLogarithmic = min > 0 && values.Max(value => value.Median) / min > LinearRange;
        axis.TickGenerator = isLogarithmic
            ? new NumericAutomatic
            {
                MinorTickGenerator = new LogMinorTickGenerator(),
                IntegerTicksOnly = true,
                LabelFormatter = power => Readable.Short(Math.Pow(10, power)),
            }
            : new NumericAutomatic { LabelFormatter = Readable.Short };
        return (isLogarithmic ? Math.Log10 : value => value, isLogarithmic);
    }
}
