using Coherency.Bench.Contenders;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Suites;

/// <summary>Parts of the system that a suite measures.</summary>
[Flags]
internal enum SuiteLevels
{
    None = 0,
    Table = 1,
    Daemon = 2,
    Guests = 4,
    All = Table | Daemon | Guests,
}

/// <summary>A choice of what to measure, by its name on the command line.</summary>
/// <param name="Description">For the help.</param>
/// <param name="Seconds">For each scenario, depth and contender.</param>
internal sealed record SuiteDefinition(string Name, string Description, SuiteLevels Levels, double Seconds, DaemonPlan Daemon, GuestsPlan Guests)
{
    private const int InodesAll = 15_000;

    private static readonly Topology[] Parallel =
        [Topology.Single, new(2, 1), new(4, 1), new(8, 1), new(1, 2), new(1, 4), new(1, 16), new(2, 2)];

    /// <summary>All of them; the first one is run when none is named.</summary>
    public static readonly IReadOnlyList<SuiteDefinition> All =
    [
        new("quick", "a choice of everything, under 10 minutes on 2 processors", SuiteLevels.All, Seconds: 0.5, new DaemonPlan(
            [DaemonPlan.Alone(ScenarioKinds.Quick, 1, 32), .. DaemonPlan.Together(new(2, 1), new(1, 2))], InodesAll), GuestsPlan.Quick),
        new("metadata", "names and attributes", SuiteLevels.Daemon | SuiteLevels.Guests, Seconds: 2, new DaemonPlan(
            [DaemonPlan.Alone(ScenarioKinds.Metadata, 1, 32)], InodesAll), GuestsPlan.Everybody(workload => !workload.IsForData)),
        new("data", "file content", SuiteLevels.Daemon | SuiteLevels.Guests, Seconds: 2, new DaemonPlan(
            [DaemonPlan.Alone(ScenarioKinds.Data, 1, 8, 32)], Inodes: 0), GuestsPlan.Everybody(workload => workload.IsForData)),
        new("table", "the version table alone", SuiteLevels.Table, Seconds: 2, DaemonPlan.Nothing, GuestsPlan.Nothing),
        new("guests", "several guests and queues at the same time", SuiteLevels.Daemon | SuiteLevels.Guests, Seconds: 2, new DaemonPlan(
            [.. DaemonPlan.Together(Parallel)], Inodes: 0), GuestsPlan.Everybody(_ => true)),
        new("full", "everything", SuiteLevels.All, Seconds: 2, new DaemonPlan(
            [DaemonPlan.Alone(ScenarioKinds.Metadata | ScenarioKinds.Data, 1, 8, 32, DaemonPlan.DepthMax), .. DaemonPlan.Together(Parallel[1..])], InodesAll), GuestsPlan.Everybody(_ => true)),
    ];

    public static readonly string Names = string.Join(", ", All.Select(suite => suite.Name));

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static SuiteDefinition Find(string name) =>
        All.FirstOrDefault(suite => suite.Name == name) ?? throw new ArgumentException($"--suite: there is no {name}; there are {Names}");
}
