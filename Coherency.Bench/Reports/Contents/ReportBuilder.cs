using Coherency.Bench.Goals;
using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>Makes a report of what one or several runs found.</summary>
internal static class ReportBuilder
{
    /// <param name="runs">At least one.</param>
    public static ReportPage Build(IReadOnlyList<BenchResults> runs)
    {
        Findings findings = new(runs);
        Section[] sections =
        [
            new("goals", "Goals", Goals(findings)),
            new("glance", "At a glance", SummarySection.Build(findings)),
            new("staleness", "Stale answers", Staleness(findings)),
            new("guests", "Programs in virtual machines", Scenarios(findings, BenchLevel.Guests)),
            new("daemons", "Daemons under a guest in user space", Scenarios(findings, BenchLevel.Daemon)),
            new("table", "The version table", TableSection.Build(findings)),
            new("circumstances", "Machine, versions, commands", CircumstancesSection.Build(runs)),
        ];
        return new ReportPage("coherency-bench", Lead(runs), [.. sections.Where(section => section.Blocks.Count > 0)]);
    }

    private static string Lead(IReadOnlyList<BenchResults> runs)
    {
        string suites = string.Join(", ", runs.Select(run => run.Suite).Distinct());
        string dates = string.Join(" and ", runs.Select(run => run.Machine.Date).Distinct());
        return $"Suite {suites}, {dates}, on {runs[^1].Machine.Processors} x {runs[^1].Machine.Processor}. Contenders took turns, on trees of the same content.";
    }

    private static Block[] Goals(Findings findings)
    {
        IReadOnlyList<Goal> goals = GoalList.Judge(findings);
        string counts = string.Join(", ", goals.CountBy(goal => goal.State).OrderBy(count => count.Key).Select(count => $"{Readable.Count(count.Value)} {Text(count.Key)}"));
        return
        [
            new Paragraph($"The project's bars, judged by these results: {counts}. Where several figures must reach a bar, the worst stands here. \"2.00 times\" means that ours is twice as good."),
            new DataTable(
                "Goals and whether they are met",
                [new Column("subject", IsNumber: false), new Column("goal", IsNumber: false), new Column("met?", IsNumber: false), new Column("found", IsNumber: false)],
                [.. goals.Select(goal => new Row([new Cell(goal.Subject), new Cell(goal.Wanted), new Cell("", Mark: MarkOf(goal.State), MarkText: Text(goal.State)), new Cell(goal.Found)]))]),
        ];
    }

    private static Mark MarkOf(GoalState state) => state switch
    {
        GoalState.Met => Mark.Good,
        GoalState.Missed => Mark.Bad,
        _ => Mark.Unknown,
    };

    private static string Text(GoalState state) => state switch
    {
        GoalState.Met => "met",
        GoalState.Missed => "missed",
        _ => "not measured",
    };

    private static IReadOnlyList<Block> Staleness(Findings findings) => findings.Staleness.Count == 0
        ? []
        :
        [
            new Paragraph("How often a guest was answered from a cache that was no longer true, when it looked at once after a change. A fast wrong answer is not a win: who was stale is marked beside its times."),
            new DataTable(
                "Stale answers by contender and by who made the change",
                [new Column("contender", IsNumber: false), new Column("changed by", IsNumber: false), new Column("looks"), new Column("stale")],
                [.. findings.Staleness.Select(result => new Row(
                    [
                        new Cell(result.Contender),
                        new Cell(result.Writer),
                        new Cell(Readable.Count(result.Looks)),
                        new Cell(Readable.Count(result.Stale), Mark: result.Stale > 0 ? Mark.Bad : Mark.None, MarkText: result.Stale > 0 ? "stale" : null),
                    ],
                    ContenderNames.IsOurs(result.Contender)))]),
        ];

    private static IReadOnlyList<Block> Scenarios(Findings findings, BenchLevel level) =>
    [
        .. from situation in findings.OfLevel(level)
           group situation by situation.Scenario into scenario
           from block in Scenario(findings, [.. scenario])
           select block,
    ];

    private static IEnumerable<Block> Scenario(Findings findings, Situation[] situations)
    {
        yield return new Heading(situations[0].Title);
        IReadOnlyList<Plot> plots = new ScenarioPlots(findings, situations).Draw();
        if (plots.Count > 0)
        {
            yield return new PlotRow(plots);
        }

        yield return new ScenarioTable(findings, situations).Build();
    }
}
