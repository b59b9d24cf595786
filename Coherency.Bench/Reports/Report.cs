using Coherency.Bench.Goals;

namespace Coherency.Bench.Reports;

/// <summary>Reports of what one or several runs found.</summary>
internal static class Report
{
    /// <param name="runs">At least one.</param>
    /// <param name="html">Where to write a page; null for none.</param>
    /// <param name="markdown">Where to write Markdown; null for none.</param>
    public static void Write(IReadOnlyList<BenchResults> runs, string? html, string? markdown)
    {
        ReportPage page = Build(runs);
        if (html is not null)
            File.WriteAllText(html, page.ToHtml());
        if (markdown is not null)
            File.WriteAllText(markdown, page.ToMarkdown());
    }

    public static ReportPage Build(IReadOnlyList<BenchResults> runs)
    {
        Findings findings = new(runs);
        string suites = string.Join(", ", runs.Select(run => run.Suite).Distinct());
        string dates = string.Join(" and ", runs.Select(run => run.Machine.Date).Distinct());
        ReportPage page = new(
            "coherency-bench",
            $"Suite {suites}, {dates}, on {runs[^1].Machine.Processors} x {runs[^1].Machine.Processor}. Contenders took turns, on trees " +
            "of the same content.");
        AddGoals(page, findings);
        page.Section("At a glance");
        SummarySection.Add(page, findings);
        AddStaleness(page, findings);
        AddScenarios(page, findings, BenchLevel.Guests, "Programs in virtual machines");
        AddScenarios(page, findings, BenchLevel.Daemon, "Daemons under a guest in user space");
        AddTable(page, findings);
        page.Section("Machine, versions, commands");
        foreach (BenchResults run in runs)
            AddCircumstances(page, run);
        return page;
    }

    private static void AddGoals(ReportPage page, Findings findings)
    {
        IReadOnlyList<Goal> goals = GoalList.Judge(findings);
        string counts = string.Join(
            ", ",
            goals.CountBy(goal => goal.State).OrderBy(count => count.Key).Select(
                count => $"{Readable.Count(count.Value)} {Text(count.Key)}"));
        page.Section("Goals");
        page.Table(
            $"The project's bars, judged by these results: {counts}. Where several figures must reach a bar, the worst stands here. " +
            "\"2.00 times\" means that ours is twice as good.",
            [new("subject", false), new("met?", false), new("goal", false), new("found", false)],
            [.. goals.Select(goal => new Row(
            [
                new(goal.Subject), goal.State == GoalState.Missed
                    ? new("", Mark: "missed")
                    : new(Text(goal.State)), new(goal.Wanted), new(goal.Found),
            ]))]);
    }

    private static string Text(GoalState state) => state switch
    {
        GoalState.Met => "met",
        GoalState.Missed => "missed",
        _ => "not measured",
    };

    private static void AddStaleness(ReportPage page, Findings findings)
    {
        string[] writers = [.. findings.Staleness.Select(result => result.Writer).Distinct()];
        if (writers.Length == 0)
            return;
        page.Section("Stale answers");
        page.Table(
            "How often a guest was answered from a cache that was no longer true, when it looked at once after a change. "
            + "A fast wrong answer is not a win: who was stale is marked beside its times.",
            [new("contender", false), .. writers.Select(writer => new Column($"changed by {writer}"))],
            [.. from contender in findings.Contenders
                let looks = findings.StalenessOf(contender).ToLookup(result => result.Writer)
                where looks.Count > 0
                select new Row(
                    [new(contender), .. writers.Select(writer => StalenessCell([.. looks[writer]]))], ContenderNames.IsOurs(contender))]);
    }

    private static Cell StalenessCell(StalenessResult[] results)
    {
        int stale = results.Sum(result => result.Stale);
        return results.Length == 0
            ? new("not looked at")
            : new(Readable.Count(stale), $"of {Readable.Count(results.Sum(result => result.Looks))} looks", stale > 0 ? "stale" : null);
    }

    private static void AddScenarios(ReportPage page, Findings findings, BenchLevel level, string title)
    {
        Situation[][] scenarios =
            [.. findings.OfLevel(level).GroupBy(situation => situation.Scenario).Select(scenario => scenario.ToArray())];
        if (scenarios.Length > 0)
            page.Section(title);
        foreach (Situation[] situations in scenarios)
        {
            page.Heading(ScenarioTable.TitleOf(situations));
            page.Figures(new ScenarioPlots(findings, situations).Draw());
            new ScenarioTable(findings, situations).AddTo(page);
        }
    }

    private static void AddTable(ReportPage page, Findings findings)
    {
        if (findings.OfLevel(BenchLevel.Table).Any())
            page.Section("The version table");
        page.Table(
            "Calls of the version table, and what they are made of, in one process. Medians with 95 % intervals.",
            [new("call", false), new("with", false), new("time, ns")],
            [.. from situation in findings.OfLevel(BenchLevel.Table)
                from contender in findings.Contenders
                let time = findings.Find(situation, contender, Quantity.CallTime)
                where time is not null
                select new Row(
                [
                    new(situation.Title),
                    new(Readable.Conditions(situation.Level, situation.Conditions)),
                    new(Readable.Number(time.Value.Median), Readable.Interval(Quantity.CallTime, time.Value)),
                ])]);
    }

    /// <summary>What is needed to repeat a run.</summary>
    private static void AddCircumstances(ReportPage page, BenchResults run)
    {
        MachineInfo machine = run.Machine;
        page.Heading($"Suite {run.Suite}, {machine.Date}");
        page.Paragraph(
            $"{machine.Processors} x {machine.Processor}, {machine.Memory} of memory, {machine.Kernel}, {machine.Runtime}; the trees " +
            $"were on {machine.FileSystem}.");
        page.Table(
            "The contenders",
            [new("contender", false), new("version", false)],
            [.. from contender in run.Contenders
                let isMeasured = run.Observations.Any(found => found.Contender == contender.Name && found.Samples.Count > 0)
                select new Row(
                    [new(contender.Name, isMeasured ? null : "not measured"), new(contender.Version)],
                    ContenderNames.IsOurs(contender.Name))]);
        page.Verbatim(
            string.Join('\n', [run.Command, .. run.Contenders.SelectMany(contender => contender.Commands.Prepend($"# {contender.Name}"))]));
    }
}
