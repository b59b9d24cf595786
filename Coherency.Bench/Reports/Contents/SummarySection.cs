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

    public static IReadOnlyList<Block> Build(Findings findings) => [.. Tables.SelectMany(table => Build(findings, table.Level, table.Quantity, table.Caption))];

    private static IEnumerable<Block> Build(Findings findings, BenchLevel level, Quantity quantity, string caption)
    {
        Row[] rows = [.. findings.OfLevel(level).Select(situation => BuildRow(findings, situation, quantity)).OfType<Row>()];
        if (rows.Length > 0)
        {
            yield return new DataTable(
                $"{caption}: how many times better ours is than others; 1.00 and more is at least as good.",
                [
                    new Column("scenario", IsNumber: false),
                    new Column("conditions", IsNumber: false),
                    new Column($"ours, {Readable.Unit(quantity)}"),
                    new Column("to the best peer"),
                    new Column("to the best peer that is never stale"),
                    new Column("to the limit, ext4"),
                ],
                rows);
        }
    }

    private static Row? BuildRow(Findings findings, Situation situation, Quantity quantity) =>
        DaemonGoals.OursIn(findings, situation, quantity) is { } ours
            ? new Row(
            [
                new Cell(situation.Title),
                new Cell(Readable.Conditions(situation.Level, situation.Conditions)),
                new Cell(Readable.Of(quantity, findings.Find(situation, ours, quantity)!.Value.Median), ours),
                RatioCell(findings, situation, quantity, ours, ContenderNames.IsPeer),
                RatioCell(findings, situation, quantity, ours, peer => ContenderNames.IsPeer(peer) && findings.IsNeverStale(peer)),
                RatioCell(findings, situation, quantity, ours, contender => contender == ContenderNames.Limit),
            ])
            : null;

    private static Cell RatioCell(Findings findings, Situation situation, Quantity quantity, string ours, Func<string, bool> isOther)
    {
        string? other = findings.FindBest(situation, quantity, isOther);
        if (findings.Ratio(situation, quantity, ours, other) is not { } ratio)
        {
            return Cell.Empty;
        }

        string? stale = StaleMark.Of(findings, other!);
        return new Cell(Readable.Ratio(ratio), other, stale is null ? Mark.None : Mark.Bad, stale is null ? null : "stale");
    }
}
