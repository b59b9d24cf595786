namespace Coherency.Bench.Reports;

/// <summary>The plots of one scenario: what varies decides which there are.</summary>
internal sealed class ScenarioPlots(Findings findings, IReadOnlyList<Situation> situations)
{
    /// <summary>What a situation may vary by, and how its axis is called.</summary>
    private static readonly (string Title, Func<Conditions, long> Value, Func<Conditions, Conditions> Others,
        Quantity[] Quantities)[] Axes =
    [
        (
            "operations in flight for each queue",
            conditions => conditions.Depth,
            conditions => conditions with { Depth = 0 },
            [Quantity.LatencyP50, Quantity.Rate]),
        ("queues", conditions => conditions.Queues, conditions => conditions with { Queues = 0 }, [Quantity.Rate]),
        ("guests", conditions => conditions.Guests, conditions => conditions with { Guests = 0 }, [Quantity.Rate]),
        ("inodes", conditions => conditions.Size, conditions => conditions with { Size = 0 }, [Quantity.LatencyP50, Quantity.Memory]),
    ];

    private readonly IReadOnlyList<string> _contenders = findings.ContendersOf(situations[0].Level);

    public IEnumerable<Figure> Draw() => Lines().Concat(situations.Where(HasDurations).Select(Bars));

    private IEnumerable<Figure> Lines() =>
        from axis in Axes
        from quantity in axis.Quantities
        from alike in situations.Where(situation => axis.Value(situation.Conditions) > 0).GroupBy(
            situation => axis.Others(situation.Conditions))
        where alike.Select(situation => axis.Value(situation.Conditions)).Distinct().Count() > 1
        let series = SeriesOf([.. alike.OrderBy(situation => axis.Value(situation.Conditions))], quantity, axis.Value)
        where series.Length > 0
        let rest = Readable.Conditions(BenchLevel.Daemon, alike.Key)
        select Plots.Lines(
            $"{alike.First().Title}: {Readable.Name(quantity)} over {axis.Title}{(rest.Length > 0 ? ", " + rest : "")}",
            axis.Title,
            $"{Readable.Name(quantity)}, {Readable.Unit(quantity)}",
            series);

    private Series[] SeriesOf(IReadOnlyList<Situation> alike, Quantity quantity, Func<Conditions, long> value) =>
    [
        .. from contender in _contenders.Select((name, style) => (name, style))
           let points = PointsOf(contender.name, alike, quantity, value)
           where points.Length > 1
           select new Series(contender.name, contender.style, ContenderNames.IsOurs(contender.name), points),
    ];

    private (double X, MedianEstimate Y)[] PointsOf(
        string contender, IReadOnlyList<Situation> alike, Quantity quantity, Func<Conditions, long> value) =>
    [
        .. from situation in alike
           let found = findings.Find(situation, contender, quantity)
           where found is not null
           select ((double)value(situation.Conditions), Readable.Scale(quantity, found.Value)),
    ];

    private bool HasDurations(Situation situation) => findings.QuantitiesOf(situation).Contains(Quantity.Duration);

    private Figure Bars(Situation situation)
    {
        string conditions = Readable.Conditions(situation.Level, situation.Conditions);
        Measure[] measures =
        [
            .. from contender in _contenders
               let found = findings.Find(situation, contender, Quantity.Duration)
               where found is not null
               let note = findings.IsWrong(situation, contender) ? "wrong" : findings.StaleMark(contender) is null ? null : "stale"
               select new Measure(contender, found.Value, ContenderNames.IsOurs(contender), note),
        ];
        return Plots.Bars(conditions.Length > 0 ? $"{situation.Title}: {conditions}" : situation.Title, "time, s", measures);
    }
}
