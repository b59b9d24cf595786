using Coherency.Bench.Goals;

namespace Coherency.Bench.Reports;

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

    public static void Add(ReportPage page, Findings findings)
    {
        foreach ((BenchLevel level, Quantity quantity, string caption) in Tables)
        {
            page.Table(
                $"{caption}. \"Times\": how many times better ours is; 1.00 and more is at least as good.",
                [
                    new("scenario", false), new("conditions", false), new("ours", false), new(Readable.Unit(quantity)),
                    new("times"), new("the best peer", false), new("times"), new("the best peer that is never stale", false), new("times"),
                    new("the limit", false),
                ],
                [.. Summed(findings, level).Select(situation => BuildRow(findings, situation, quantity)).OfType<Row>()]);
        }

        page.Table(
            "Contenders that could not be measured",
            [new("contender", false), new("why", false)],
            [.. from run in findings.Runs
                from contender in run.Contenders
                where run.Observations.All(found => found.Contender != contender.Name)
                select new Row([new(contender.Name), new(contender.Version)])]);
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
        findings.OursIn(situation, quantity) is { } ours
            ? new Row(
            [
                new(situation.Title),
                new(Readable.Conditions(situation.Level, situation.Conditions)),
                new(ours),
                new(Readable.Of(quantity, findings.Find(situation, ours, quantity)!.Value.Median)),
                .. RatioCells(findings, situation, quantity, ours, ContenderNames.IsPeer),
                .. RatioCells(findings, situation, quantity, ours, findings.IsPeerThatIsNeverStale),
                .. RatioCells(findings, situation, quantity, ours, ContenderNames.IsLimit),
            ])
            : null;

    private static Cell[] RatioCells(Findings findings, Situation situation, Quantity quantity, string ours, Func<string, bool> isOther) =>
        findings.FindBest(situation, quantity, isOther) is { } other && findings.Ratio(situation, quantity, ours, other) is { } ratio
            ? [new(Readable.Ratio(ratio)), new(other, Mark: findings.StaleMark(other) is null ? null : "stale")]
            : [Cell.Empty, Cell.Empty];
}
