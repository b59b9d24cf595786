using Coherency.Bench.Contenders;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Suites;

/// <summary>Scenarios that are measured with the same guests and queues, each at every depth.</summary>
/// <param name="Depths">Operations in flight for each queue.</param>
internal sealed record DaemonTrials(Topology Topology, IReadOnlyList<DaemonScenario> Scenarios, IReadOnlyList<int> Depths);

/// <summary>What of the daemon level is measured.</summary>
/// <param name="Inodes">Files to look up for memory and for the latency among so many; 0 for none.</param>
internal sealed record DaemonPlan(IReadOnlyList<DaemonTrials> Trials, int Inodes)
{
    public const int DepthMax = 128;
    public const int QueuesMax = 8;
    public const int GuestsMax = 16;

    public static readonly DaemonPlan Nothing = new([], Inodes: 0);

    private static readonly int[] ParallelDepths = [8];

    /// <summary>Every scenario of these kinds with one guest.</summary>
    public static DaemonTrials Alone(ScenarioKinds kinds, params int[] depths) =>
        new(Topology.Single, Of(kinds), depths);

    /// <summary>The scenarios that are worth it, by one guest and by several.</summary>
    public static IEnumerable<DaemonTrials> Together(params Topology[] topologies) =>
        topologies.Select(topology => new DaemonTrials(topology, Of(ScenarioKinds.Parallel), ParallelDepths));

    private static DaemonScenario[] Of(ScenarioKinds kinds) => [.. DaemonScenario.All.Where(scenario => (scenario.Kinds & kinds) != 0)];
}
