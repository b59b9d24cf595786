using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Goals;

/// <summary>The bars of level 2: a daemon under a guest in user space, against the Rust virtiofsd.</summary>
internal static class DaemonGoals
{
    private const double FasterBy = 1.2;

    /// <summary>Twice would be perfect; the guest's own threads share the cores.</summary>
    private const double LinearAtTwoQueues = 1.8;

    private const string NoRust = "not measured beside virtiofsd-rust";

    private static readonly (string Scenario, string Title)[] Operations =
    [
        (ScenarioNames.Lookup, "LOOKUP"),
        (ScenarioNames.GetAttr, "GETATTR"),
        (ScenarioNames.OpenRead, "OPEN + READ + RELEASE"),
        (ScenarioNames.CreateUnlink, "CREATE + UNLINK"),
        (ScenarioNames.ReadDirPlus, "READDIRPLUS"),
    ];

    private static readonly (string Scenario, string Title)[] Transfers =
        [(ScenarioNames.SequentialRead, "1 MiB reads"), (ScenarioNames.SequentialWrite, "1 MiB writes")];

    public static IEnumerable<Goal> Judge(Findings findings) =>
    [
        .. Operations.Select(operation => IsFaster(findings, operation, FasterBy)),
        .. Transfers.Select(transfer => IsFaster(findings, transfer, least: 1)),
        .. Operations.Concat(Transfers).Select(operation => IsTailNoWorse(findings, operation)),
        .. Operations.Select(operation => IsLinear(findings, operation)),
    ];

    private static Goal IsFaster(Findings findings, (string Scenario, string Title) operation, double least) => PeerRatio.Judge(
        least > 1 ? $"rate and p50 at least {Readable.Ratio(least)} times virtiofsd-rust" : "rate and p50 at least equal to virtiofsd-rust",
        operation.Title,
        least,
        WithRust(findings, operation.Scenario, Quantity.LatencyP50).Concat(WithRust(findings, operation.Scenario, Quantity.Rate)),
        NoRust);

    private static Goal IsTailNoWorse(Findings findings, (string Scenario, string Title) operation) => PeerRatio.Judge(
        "p99 no worse than virtiofsd-rust", operation.Title, least: 1, WithRust(findings, operation.Scenario, Quantity.LatencyP99), NoRust);

    private static IEnumerable<PeerRatio?> WithRust(Findings findings, string scenario, Quantity quantity) =>
        from situation in findings.OfScenario(BenchLevel.Daemon, scenario)
        where situation.Conditions is { Queues: 1, Guests: 1 }
        let ours = OursIn(findings, situation, quantity)
        where ours is not null
        select PeerRatio.WithBest(findings, situation, quantity, ours, ContenderNames.IsRust);

    private static Goal IsLinear(Findings findings, (string Scenario, string Title) operation)
    {
        string wanted = $"linear to 2 queues: at least {Readable.Ratio(LinearAtTwoQueues)} times the rate of one queue";
        double[] growths =
        [
            .. from one in findings.OfScenario(BenchLevel.Daemon, operation.Scenario)
               where one.Conditions.Queues == 1
               let ours = OursIn(findings, one, Quantity.Rate)
               where ours is not null
               let alone = findings.Find(one, ours, Quantity.Rate)
               let both = findings.Find(one with { Conditions = one.Conditions with { Queues = 2 } }, ours, Quantity.Rate)
               where alone is not null && both is not null
               select both.Value.Median / alone.Value.Median,
        ];
        return growths.Length > 0
            ? Goal.Judged(wanted, operation.Title, growths.Min() >= LinearAtTwoQueues, $"{Readable.Ratio(growths.Min())} times the rate")
            : Goal.NotMeasured(wanted, operation.Title, "not measured with one and with two queues");
    }

    /// <summary>The coherent mode where it was measured: it is what the project promises.</summary>
    internal static string? OursIn(Findings findings, Situation situation, Quantity quantity) =>
        findings.Find(situation, ContenderNames.Coherent, quantity) is not null
            ? ContenderNames.Coherent
            : findings.FindBest(situation, quantity, ContenderNames.IsOurs);
}
