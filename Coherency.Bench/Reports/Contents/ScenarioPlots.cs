using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Reports.Plots;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>The plots of one scenario: what varies decides which there are.</summary>
internal sealed class ScenarioPlots(Findings findings, IReadOnlyList<Situation> situations)
{
    /// <summary>What a situation may vary by, and how its axis is called.</summary>
    private static readonly (string Title, Func<Conditions, long> Value, Func<Conditions, Conditions> Others, Quantity[] Quantities)[] Axes =
    [
        ("operations in flight for each queue", conditions => conditions.Depth, conditions => conditions with { Depth = 0 }, [Quantity.LatencyP50, Quantity.Rate]),
        ("queues", conditions => conditions.Queues, conditions => conditions with { Queues = 0 }, [Quantity.Rate]),
        ("guests", conditions => conditions.Guests, conditions => conditions with { Guests = 0 }, [Quantity.Rate]),
        ("inodes", conditions => conditions.Size, conditions => conditions with { Size = 0 }, [Quantity.LatencyP50, Quantity.Memory]),
    ];

    public IReadOnlyList<Plot> Draw() => [.. Lines(), .. situations.Where(HasDurations).Select(Bars)];

    private IEnumerable<Plot> Lines() =>
        from axis in Axes
        from quantity in axis.Quantities
        from alike in situations.Where(situation => axis.Value(situation.Conditions) > 0).GroupBy(situation => axis.Others(situation.Conditions))
        where alike.Select(situation => axis.Value(situation.Conditions)).Distinct().Count() > 1
        let series = SeriesOf([.. alike.OrderBy(situation => axis.Value(situation.Conditions))], quantity, axis.Value)
        where series.Length > 0
        let rest = Readable.Conditions(BenchLevel.Daemon, alike.Key)
        let title = $"{alike.First().Title}: {Readable.Name(quantity)} over {axis.Title}{(rest.Length > 0 ? ", " + rest : "")}"
        select new Plot(title, new LinePlot(title, axis.Title, $"{Readable.Name(quantity)}, {Readable.Unit(quantity)}", series).Draw());

    private Series[] SeriesOf(IReadOnlyList<Situation> alike, Quantity quantity, Func<Conditions, long> value) =>
    [
        .. from contender in findings.ContendersOf(alike[0].Level)
           let points = PointsOf(contender, alike, quantity, value)
           where points.Length > 1
           select new Series(contender, StyleOf(contender), ContenderNames.IsOurs(contender), points),
    ];

    private (double X, MedianEstimate Y)[] PointsOf(string contender, IReadOnlyList<Situation> alike, Quantity quantity, Func<Conditions, long> value) =>
    [
        .. from situation in alike
           let found = findings.Find(situation, contender, quantity)
           where found is not null
           select ((double)value(situation.Conditions), Scaled(quantity, found.Value)),
    ];

    /// <summary>In the unit that stands at the axis.</summary>
    private static MedianEstimate Scaled(Quantity quantity, MedianEstimate found) => found with
    {
        Median = Readable.Scale(quantity, found.Median),
        Low = Readable.Scale(quantity, found.Low),
        High = Readable.Scale(quantity, found.High),
    };

    private bool HasDurations(Situation situation) => findings.QuantitiesOf(situation).Contains(Quantity.Duration);

    private Plot Bars(Situation situation)
    {
        string conditions = Readable.Conditions(situation.Level, situation.Conditions);
        string title = conditions.Length > 0 ? $"{situation.Title}: {conditions}" : situation.Title;
        Bar[] bars =
        [
            .. from contender in findings.ContendersOf(situation.Level)
               let found = findings.Find(situation, contender, Quantity.Duration)
               where found is not null
               select new Bar(contender, found.Value, ContenderNames.IsOurs(contender), NoteOn(situation, contender)),
        ];
        return new Plot(title, new BarPlot(title, "time, s", bars).Draw());
    }

    private string? NoteOn(Situation situation, string contender) =>
        findings.IsWrong(situation, contender) ? "wrong"
        : StaleMark.Of(findings, contender) is not null ? "stale"
        : null;

    private int StyleOf(string contender) => findings.ContendersOf(situations[0].Level).ToList().IndexOf(contender);
}
