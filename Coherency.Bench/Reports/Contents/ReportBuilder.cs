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
                [new Column("subject", ColumnKind.Text), new Column("met?", ColumnKind.Words), new Column("goal", ColumnKind.Text), new Column("found", ColumnKind.Text)],
                [.. goals.Select((goal, index) => GoalRow(goal, beginsGroup: index > 0 && goals[index - 1].Wanted != goal.Wanted))]),
        ];
    }

    private static Row GoalRow(Goal goal, bool beginsGroup) => new(
        [new Cell(goal.Subject), new Cell("", Mark: MarkOf(goal.State), MarkText: Text(goal.State)), new Cell(goal.Wanted), new Cell(goal.Found)],
        BeginsGroup: beginsGroup);

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

    private static IReadOnlyList<Block> Staleness(Findings findings)
    {
        string[] writers = [.. findings.Staleness.Select(result => result.Writer).Distinct()];
        return writers.Length == 0
            ? []
            :
            [
                new Paragraph(
                    "How often a guest was answered from a cache that was no longer true, when it looked at once after a change. "
                    + "A fast wrong answer is not a win: who was stale is marked beside its times."),
                new DataTable(
                    "Stale answers by contender and by who made the change",
                    [new Column("contender", ColumnKind.Text), .. writers.Select(writer => new Column($"changed by {writer}"))],
                    [.. findings.Contenders.Where(contender => findings.StalenessOf(contender).Any()).Select(contender => StalenessRow(findings, contender, writers))]),
            ];
    }

    private static Row StalenessRow(Findings findings, string contender, string[] writers) => new(
        [new Cell(contender), .. writers.Select(writer => StalenessCell([.. findings.StalenessOf(contender).Where(result => result.Writer == writer)]))],
        ContenderNames.IsOurs(contender));

    private static Cell StalenessCell(StalenessResult[] results)
    {
        int stale = results.Sum(result => result.Stale);
        string looks = $"of {Readable.Count(results.Sum(result => result.Looks))} looks";
        return results.Length == 0 ? new Cell("not looked at")
            : stale == 0 ? new Cell("0", looks)
            : new Cell(Readable.Count(stale), looks, Mark.Bad, "stale");
    }

    private static IReadOnlyList<Block> Scenarios(Findings findings, BenchLevel level) =>
    [
        .. from situation in findings.OfLevel(level)
           group situation by situation.Scenario into scenario
           from block in Scenario(findings, [.. scenario])
           select block,
    ];

    private static IEnumerable<Block> Scenario(Findings findings, Situation[] situations)
    {
        yield return new Heading(ScenarioTable.TitleOf(situations));
        IReadOnlyList<Plot> plots = new ScenarioPlots(findings, situations).Draw();
        if (plots.Count > 0)
        {
            yield return new PlotRow(plots);
        }

        yield return new ScenarioTable(findings, situations).Build();
    }
}
