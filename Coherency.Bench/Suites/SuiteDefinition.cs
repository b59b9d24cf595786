using Coherency.Bench.Guests;
using Coherency.Bench.Measurement;
using Coherency.Bench.Microbenchmarks;
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
    public static DaemonTrials Alone(ScenarioKinds kinds, params int[] depths) => new(Topology.Single, Of(kinds), depths);

    /// <summary>The scenarios that are worth it, by one guest and by several.</summary>
    public static IEnumerable<DaemonTrials> Together(params Topology[] topologies) =>
        topologies.Select(topology => new DaemonTrials(topology, Of(ScenarioKinds.Parallel), ParallelDepths));

    private static DaemonScenario[] Of(ScenarioKinds kinds) => [.. DaemonScenario.All.Where(scenario => (scenario.Kinds & kinds) != 0)];
}

/// <summary>What a suite has guests do.</summary>
/// <param name="Contenders">By name, in the order of the reports.</param>
/// <param name="Files">In the repository; other trees have their share of it.</param>
/// <param name="Rounds">How often each program is run in each state.</param>
/// <param name="Looks">How often each contender is tried for stale answers, for each kind of change and each writer; 0 leaves it
/// out.</param>
internal sealed record GuestsPlan(
    IReadOnlyList<string> Contenders, IReadOnlyList<GuestWorkload> Workloads, int Files, int Rounds, int Looks)
{
    public const int FilesMin = 300;
    public const int FilesMax = 200_000;

    public static GuestsPlan Nothing { get; } = new([], [], 0, 0, 0);

    /// <summary>Everybody; emulation takes half an hour for it.</summary>
    public static GuestsPlan Everybody(Func<GuestWorkload, bool> choice) =>
        new(GuestContenders.Names, [.. GuestWorkload.All.Where(choice)], Files: 20_000, Rounds: 2, Looks: 5);

    /// <summary>Those that promise to be coherent, and the fastest of the others, on a small tree.</summary>
    public static GuestsPlan Quick { get; } = new(
        ["coherencyd coherent", "virtiofsd-rust auto", "virtiofsd-rust always", "ext4"],
        [GuestWorkload.Find("git-status"), GuestWorkload.Find("find")],
        Files: 2000,
        Rounds: 1,
        Looks: 2);
}

/// <summary>A choice of what to measure, by its name on the command line.</summary>
/// <param name="Description">For the help.</param>
/// <param name="Seconds">For each scenario, depth and contender.</param>
internal sealed record SuiteDefinition(
    string Name, string Description, SuiteLevels Levels, double Seconds, DaemonPlan Daemon, GuestsPlan Guests)
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
            [DaemonPlan.Alone(ScenarioKinds.Metadata | ScenarioKinds.Data, 1, 8, 32, DaemonPlan.DepthMax), .. DaemonPlan
                .Together(Parallel[1..])],
            InodesAll), GuestsPlan.Everybody(_ => true)),
    ];

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static SuiteDefinition Find(string name) => All.FirstOrDefault(suite => suite.Name == name)
        ?? throw new ArgumentException($"--suite: there is no {name}; there are {string.Join(", ", All.Select(suite => suite.Name))}");

    /// <summary>
    /// In the order of their run, the quick ones first; and memory before speed: the daemons of that part are its own, and nothing
    /// else has run on the machine.
    /// </summary>
    public IReadOnlyList<ISuitePart> Parts(IReadOnlyList<Contender> contenders, BenchSettings settings, string? coherencydPath)
    {
        List<ISuitePart> parts = [];
        if (Levels.HasFlag(SuiteLevels.Table))
            parts.Add(new TablePart());
        if (Levels.HasFlag(SuiteLevels.Daemon) && Daemon.Inodes > 0)
            parts.Add(
                new InodePart(Daemon.Inodes, [.. contenders.Where(contender => contender.IsWorthMeasuring(Topology.Single))], settings));
        if (Levels.HasFlag(SuiteLevels.Daemon) && Daemon.Trials.Count > 0)
            parts.Add(new DaemonPart(Daemon.Trials, contenders, settings));
        if (Levels.HasFlag(SuiteLevels.Guests) && Guests.Contenders.Count > 0)
            parts.Add(new GuestsPart(Guests, coherencydPath));
        return parts;
    }
}

/// <summary>A part of a run: one level of the benchmark, or some of its scenarios.</summary>
internal interface ISuitePart
{
    /// <summary>How often <see cref="Run"/> will begin a step.</summary>
    int Steps { get; }

    /// <summary>Measures, and hands what it finds to the run. Leaves no process, mount or file behind, whatever happens.</summary>
    void Run(SuiteRun run);
}

/// <summary>What calls of the version table take.</summary>
internal sealed class TablePart : ISuitePart
{
    public int Steps => TableBenchmarkRun.Benchmarks.Count;

    public void Run(SuiteRun run)
    {
        foreach (Type benchmarks in TableBenchmarkRun.Benchmarks)
        {
            run.BeginStep($"version table: {benchmarks.Name}");
            run.Add(TableBenchmarkRun.Run(benchmarks, run.WorkDirectory));
        }
    }
}
