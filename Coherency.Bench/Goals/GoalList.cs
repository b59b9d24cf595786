namespace Coherency.Bench.Goals;

/// <summary>All bars of the project, judged by the results alone.</summary>
internal static class GoalList
{
    private const double FasterBy = 1.2;

    /// <summary>Twice would be perfect; the guest's own threads share the cores.</summary>
    private const double LinearAtTwoQueues = 1.8;

    private const double FasterThanNever = 10;
    private const double FasterThanCorrect = 5;
    private const long ManyInodes = 10_000_000;
    private const long FewInodes = 10_000;
    private const double MemoryMax = 2.0 * (1L << 30);
    private const double SlowerMax = 1.3;
    private const string NoRust = "not measured beside virtiofsd-rust";

    private static readonly (string Scenario, string Title)[] Operations =
    [
        ("lookup", "LOOKUP"), ("getattr", "GETATTR"), ("open-read", "OPEN + READ + RELEASE"), ("create-unlink", "CREATE + UNLINK"), (
            "readdirplus", "READDIRPLUS"),
    ];

    private static readonly (string Scenario, string Title)[] Transfers = [("seq-read", "1 MiB reads"), ("seq-write", "1 MiB writes")];
    private static readonly (string Scenario, string Title)[] NeverCompared = [("git-status", "git status, warm"), ("find", "find, warm")];
    private static readonly (string Scenario, string Title)[] WithoutRequests =
    [
        .. NeverCompared, ("make-nothing", "make without a change, warm"),
    ];

    private static string Inodes => $"{Readable.Count(ManyInodes)} inodes";

    /// <summary>
    /// Of daemons under a guest in user space, against the Rust virtiofsd; of very many inodes; of programs in virtual machines.
    /// </summary>
    public static IReadOnlyList<Goal> Judge(Findings findings) =>
    [
        .. Operations.Select(operation => AgainstRust(
            findings, operation, $"rate and p50 at least {Readable.Ratio(FasterBy)} times virtiofsd-rust", FasterBy, Quantity.LatencyP50,
            Quantity.Rate)),
        .. Transfers.Select(transfer => AgainstRust(
            findings, transfer, "rate and p50 at least equal to virtiofsd-rust", least: 1, Quantity.LatencyP50, Quantity.Rate)),
        .. Operations.Concat(Transfers).Select(operation => AgainstRust(
            findings, operation, "p99 no worse than virtiofsd-rust", least: 1, Quantity.LatencyP99)),
        .. Operations.Select(operation => IsLinear(findings, operation)),
        AtMost("daemon memory under 2 GiB", WithInodes(findings, Quantity.Memory, ManyInodes), MemoryMax, bytes =>
            $"{Readable.Of(Quantity.Memory, bytes)} {Readable.Unit(Quantity.Memory)}"),
        AtMost(
            "no growth of descriptors",
            WithInodes(findings, Quantity.Descriptors, ManyInodes),
            most: 0,
            added => $"{Readable.Count(added)} more"),
        AtMost(
            $"LOOKUP p50 within {Readable.Ratio(SlowerMax)} times that with {Readable.Count(FewInodes)}",
            from few in WithInodes(findings, Quantity.LatencyP50, FewInodes)
            from many in WithInodes(findings, Quantity.LatencyP50, ManyInodes)
            select many / few,
            SlowerMax,
            ratio => $"{Readable.Ratio(ratio)} times"),
        .. EachProgram(
            findings,
            "one guest: not slower than the stale \"always\" of either virtiofsd",
            guests => guests == 1,
            ContenderNames.Always.Contains,
            least: 1,
            "not measured beside \"always\""),
        .. NeverCompared.Select(program => Goal.Judge(
            $"at least {FasterThanNever} times as fast as \"never\"",
            program.Title,
            WarmAlone(findings, program.Scenario).Select(situation => CoherentWith(findings, situation, ContenderNames.Never.Contains))
                .OfType<PeerRatio>(),
            ratio => ratio.Ratio,
            FasterThanNever,
            ratio => ratio.Text,
            "not measured beside \"never\"")),
        .. EachProgram(
            findings,
            "a second guest works in the tree: at least 5 times any peer that gave no stale answer",
            guests => guests > 1,
            findings.IsPeerThatIsNeverStale,
            FasterThanCorrect,
            "no peer that was looked at and never stale was measured"),
        .. WithoutRequests.Select(program => Goal.Judge(
            "no requests",
            program.Title,
            WarmAlone(findings, program.Scenario)
                .Select(situation => findings.Find(situation, ContenderNames.Coherent, Quantity.Requests)?.High).OfType<double>(),
            requests => -requests,
            least: 0,
            requests => $"{Readable.Count(requests)} requests",
            "requests were not counted")),
    ];

    private static Goal AgainstRust(
        Findings findings, (string Scenario, string Title) operation, string wanted, double least, params Quantity[] quantities) =>
        Goal.Judge(
            wanted,
            operation.Title,
            (from quantity in quantities
             from situation in findings.OfScenario(BenchLevel.Daemon, operation.Scenario)
             where situation.Conditions is { Queues: 1, Guests: 1 }
             select PeerRatio.WithBest(findings, situation, quantity, findings.OursIn(situation, quantity), ContenderNames.IsRust))
                 .OfType<PeerRatio>(),
            ratio => ratio.Ratio,
            least,
            ratio => ratio.Text,
            NoRust);

    private static Goal IsLinear(Findings findings, (string Scenario, string Title) operation) => Goal.Judge(
        $"linear to 2 queues: at least {Readable.Ratio(LinearAtTwoQueues)} times the rate of one queue",
        operation.Title,
        from one in findings.OfScenario(BenchLevel.Daemon, operation.Scenario)
        where one.Conditions.Queues == 1
        let ours = findings.OursIn(one, Quantity.Rate)
        where ours is not null
        let both = findings.Find(one with { Conditions = one.Conditions with { Queues = 2 } }, ours, Quantity.Rate)
        where both is not null
        select both.Value.Median / findings.Find(one, ours, Quantity.Rate)!.Value.Median,
        growth => growth,
        LinearAtTwoQueues,
        growth => $"{Readable.Ratio(growth)} times the rate",
        "not measured with one and with two queues");

    private static Goal AtMost(string wanted, IEnumerable<double> found, double most, Func<double, string> write) =>
        Goal.Judge(wanted, Inodes, found, figure => -figure, -most, write, "not measured with so many");

    private static IEnumerable<double> WithInodes(Findings findings, Quantity quantity, long inodes) =>
        from situation in findings.OfLevel(BenchLevel.Daemon)
        where situation.Conditions.Size == inodes
        let ours = findings.OursIn(situation, quantity)
        where ours is not null
        select findings.Find(situation, ours, quantity)!.Value.Median;

    private static IEnumerable<Goal> EachProgram(
        Findings findings, string wanted, Func<int, bool> areGuests, Func<string, bool> isPeer, double least, string missing) =>
        (from situation in findings.OfLevel(BenchLevel.Guests)
         where areGuests(situation.Conditions.Guests) && findings.Find(situation, ContenderNames.Coherent, Quantity.Duration) is not null
         group CoherentWith(findings, situation, isPeer) by situation.Title into program
         select Goal.Judge(wanted, program.Key, program.OfType<PeerRatio>(), ratio => ratio.Ratio, least, ratio => ratio.Text, missing))
        .DefaultIfEmpty(new Goal(wanted, "every program", GoalState.NotMeasured, "not measured"));

    private static PeerRatio? CoherentWith(Findings findings, Situation situation, Func<string, bool> isPeer) =>
        PeerRatio.WithBest(findings, situation, Quantity.Duration, ContenderNames.Coherent, isPeer);

    private static IEnumerable<Situation> WarmAlone(Findings findings, string scenario) => findings
        .OfScenario(BenchLevel.Guests, scenario)
        .Where(situation => situation.Conditions is { State: CacheState.Warm, Guests: 1 });
}
