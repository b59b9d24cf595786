using Coherency.Bench.Goals;
using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>What most people want to know: ours against the best of the others, a row for each situation.</summary>
internal static class SummarySection
{
    /// <summary>By what the levels are summed up.</summary>
    private static readonly (BenchLevel Level, Quantity Quantity, string Caption)[] Tables =
    [
        (BenchLevel.Guests, Quantity.Duration, "Programs in virtual machines"),
        (BenchLevel.Daemon, Quantity.LatencyP50, "Daemons under a guest in user space, median latency"),
        (BenchLevel.Daemon, Quantity.Rate, "Daemons under a guest in user space, operations a second"),
    ];

    public static IReadOnlyList<Block> Build(Findings findings) =>
        [.. Tables.SelectMany(table => Build(findings, table.Level, table.Quantity, table.Caption)), .. Missing(findings)];

    /// <summary>Who was to be measured and was not, and why.</summary>
    private static IEnumerable<Block> Missing(Findings findings)
    {
        ContenderDescription[] missing =
            [.. findings.Runs.SelectMany(run => run.Contenders.Where(contender => run.Observations.All(found => found.Contender != contender.Name)))];
        if (missing.Length > 0)
        {
            yield return new DataTable(
                "Contenders that could not be measured",
                [new Column("contender", ColumnKind.Words), new Column("why", ColumnKind.Text)],
                [.. missing.Select(contender => new Row([new Cell(contender.Name), new Cell(contender.Version)]))]);
        }
    }

    private static IEnumerable<Block> Build(Findings findings, BenchLevel level, Quantity quantity, string caption)
    {
        Row[] rows = [.. Summed(findings, level).Select(situation => BuildRow(findings, situation, quantity)).OfType<Row>()];
        if (rows.Length > 0)
        {
            yield return new DataTable(
                $"{caption}. \"Times\": how many times better ours is; 1.00 and more is at least as good.",
                [
                    new Column("scenario", ColumnKind.Text),
                    new Column("conditions", ColumnKind.Words),
                    new Column("ours", ColumnKind.Words),
                    new Column(Readable.Unit(quantity)),
                    new Column("times"),
                    new Column("the best peer", ColumnKind.Words),
                    new Column("times"),
                    new Column("the best peer that is never stale", ColumnKind.Words),
                    new Column("times"),
                    new Column("the limit", ColumnKind.Words),
                ],
                rows).WithoutEmptyColumns();
        }
    }

    /// <summary>Of daemons, only the least and the most in flight, with one queue and one guest; the rest stands further down.</summary>
    private static IEnumerable<Situation> Summed(Findings findings, BenchLevel level) =>
        level != BenchLevel.Daemon
            ? findings.OfLevel(level)
            : from situation in findings.OfLevel(level)
              where situation.Conditions is { Queues: 1, Guests: 1 }
              group situation by situation.Scenario into scenario
              let least = scenario.Min(situation => situation.Conditions.Depth)
              let most = scenario.Max(situation => situation.Conditions.Depth)
              from situation in scenario
              where situation.Conditions.Depth == least || situation.Conditions.Depth == most
              select situation;

    private static Row? BuildRow(Findings findings, Situation situation, Quantity quantity) =>
        DaemonGoals.OursIn(findings, situation, quantity) is { } ours
            ? new Row(
            [
                new Cell(situation.Title),
                new Cell(Readable.Conditions(situation.Level, situation.Conditions)),
                new Cell(ours),
                new Cell(Readable.Of(quantity, findings.Find(situation, ours, quantity)!.Value.Median)),
                .. RatioCells(findings, situation, quantity, ours, ContenderNames.IsPeer),
                .. RatioCells(findings, situation, quantity, ours, peer => ContenderNames.IsPeer(peer) && findings.IsNeverStale(peer)),
                .. RatioCells(findings, situation, quantity, ours, contender => contender == ContenderNames.Limit),
            ])
            : null;

    private static Cell[] RatioCells(Findings findings, Situation situation, Quantity quantity, string ours, Func<string, bool> isOther)
    {
        string? other = findings.FindBest(situation, quantity, isOther);
        if (findings.Ratio(situation, quantity, ours, other) is not { } ratio)
        {
            return [Cell.Empty, Cell.Empty];
        }

        bool isStale = StaleMark.Of(findings, other!) is not null;
        return [new Cell(Readable.Ratio(ratio)), new Cell(other!, Mark: isStale ? Mark.Bad : Mark.None, MarkText: isStale ? "stale" : null)];
    }
}
