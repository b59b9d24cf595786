using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Goals;

/// <summary>The bars of level 3: programs in virtual machines, in coherent mode.</summary>
internal static class GuestGoals
{
    private const double FasterThanNever = 10;
    private const double FasterThanCorrect = 5;

    private static readonly (string Scenario, string Title)[] NeverCompared = [(ScenarioNames.GitStatus, "git status, warm"), (ScenarioNames.Find, "find, warm")];

    private static readonly (string Scenario, string Title)[] WithoutRequests = [.. NeverCompared, (ScenarioNames.MakeNothing, "make without a change, warm")];

    public static IEnumerable<Goal> Judge(Findings findings) =>
    [
        .. NoSlowerThanAlways(findings),
        .. NeverCompared.Select(program => IsFasterThanNever(findings, program)),
        .. FasterThanCorrectPeers(findings),
        .. WithoutRequests.Select(program => SendsNothing(findings, program)),
    ];

    private static Goal[] NoSlowerThanAlways(Findings findings) => OrNotMeasured(
        "one guest: not slower than the stale \"always\" of either virtiofsd",
        "every program",
        least: 1,
        from situation in findings.OfLevel(BenchLevel.Guests)
        where situation.Conditions.Guests == 1 && findings.Find(situation, ContenderNames.Coherent, Quantity.Duration) is not null
        select (situation, PeerRatio.WithBest(findings, situation, Quantity.Duration, ContenderNames.Coherent, ContenderNames.Always.Contains)),
        "not measured beside \"always\"");

    private static Goal[] FasterThanCorrectPeers(Findings findings) => OrNotMeasured(
        "a second guest works in the tree: at least 5 times any peer that gave no stale answer",
        "every program",
        FasterThanCorrect,
        from situation in findings.OfLevel(BenchLevel.Guests)
        where situation.Conditions.Guests > 1 && findings.Find(situation, ContenderNames.Coherent, Quantity.Duration) is not null
        select (situation, PeerRatio.WithBest(
            findings,
            situation,
            Quantity.Duration,
            ContenderNames.Coherent,
            contender => ContenderNames.IsPeer(contender) && findings.IsNeverStale(contender))),
        "no peer that was looked at and never stale was measured");

    private static Goal[] OrNotMeasured(
        string wanted, string subject, double least, IEnumerable<(Situation Situation, PeerRatio? PeerRatio)> programs, string missing)
    {
        Goal[] goals =
        [
            .. from program in programs
               group program.PeerRatio by program.Situation.Title into comparisons
               select PeerRatio.Judge(wanted, comparisons.Key, least, comparisons, missing),
        ];
        return goals.Length > 0 ? goals : [Goal.NotMeasured(wanted, subject, "not measured")];
    }

    private static Goal IsFasterThanNever(Findings findings, (string Scenario, string Title) program) => PeerRatio.Judge(
        $"at least {FasterThanNever} times as fast as \"never\"",
        program.Title,
        FasterThanNever,
        WarmAlone(findings, program.Scenario).Select(situation => PeerRatio.WithBest(
            findings, situation, Quantity.Duration, ContenderNames.Coherent, ContenderNames.Never.Contains)),
        "not measured beside \"never\"");

    private static Goal SendsNothing(Findings findings, (string Scenario, string Title) program)
    {
        const string Wanted = "no requests";
        double[] requests =
        [
            .. WarmAlone(findings, program.Scenario)
                .Select(situation => findings.Find(situation, ContenderNames.Coherent, Quantity.Requests)?.High)
                .OfType<double>(),
        ];
        return requests.Length > 0
            ? Goal.Judged(Wanted, program.Title, requests.Max() == 0, $"{Readable.Count(requests.Max())} requests")
            : Goal.NotMeasured(Wanted, program.Title, "requests were not counted");
    }

    private static IEnumerable<Situation> WarmAlone(Findings findings, string scenario) => findings
        .OfScenario(BenchLevel.Guests, scenario)
        .Where(situation => situation.Conditions is { State: CacheState.Warm, Guests: 1 });
}
