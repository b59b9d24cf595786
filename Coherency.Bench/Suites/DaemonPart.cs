using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Results;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Suites;

/// <summary>Level 2: daemons, driven by guests in user space, each on a tree of its own with the same content.</summary>
internal sealed class DaemonPart(IReadOnlyList<DaemonTrials> plan, IReadOnlyList<Contender> contenders, BenchSettings settings) : ISuitePart
{
    /// <summary>For requests beside the lanes' own.</summary>
    private const int SpareSlots = 8;

    public int Steps => plan.Sum(trials => 1 + (trials.Scenarios.Count * trials.Depths.Count));

    public void Run(SuiteRun run)
    {
        string directory = Directory.CreateDirectory(Path.Combine(run.WorkDirectory, "daemon")).FullName;
        try
        {
            InterleavedRun interleaved = new(settings, run.Interrupted);
            foreach (DaemonTrials trials in plan)
            {
                Run(run, interleaved, trials, directory);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private void Run(SuiteRun run, InterleavedRun interleaved, DaemonTrials trials, string directory)
    {
        run.BeginStep($"starting the daemons for {trials.Topology}");
        List<ContenderSession> sessions = [];
        try
        {
            foreach (Contender contender in contenders.Where(contender => contender.IsWorthMeasuring(trials.Topology)))
            {
                Start(run, contender, trials, directory, sessions);
            }

            foreach ((DaemonScenario scenario, int depth) in trials.Scenarios.SelectMany(_ => trials.Depths, (scenario, depth) => (scenario, depth)))
            {
                run.BeginStep($"{scenario.Title}, depth {depth}, {trials.Topology}");
                Measure(run, interleaved, scenario, depth, sessions);
            }
        }
        finally
        {
            sessions.ForEach(session => session.Dispose());
        }
    }

    private void Start(SuiteRun run, Contender contender, DaemonTrials trials, string directory, List<ContenderSession> sessions)
    {
        if (contender.RefusalOf(trials.Topology) is { } reason)
        {
            LeaveOut(run, contender, trials, reason);
            return;
        }

        string own = Path.Combine(directory, contender.FileName);
        string share = Path.Combine(own, "share");
        if (!Directory.Exists(share))
        {
            BenchTree.LayOut(Directory.CreateDirectory(share).FullName);
        }

        ContenderSession session = new(
            contender, trials.Topology, share, own, trials.Depths.Max() + SpareSlots, settings.WaitOf(trials.Topology));
        sessions.Add(session);
        run.Add(new ContenderDescription(contender.Name, contender.ReadVersion(), session.Commands));
    }

    private static void Measure(SuiteRun run, InterleavedRun interleaved, DaemonScenario scenario, int depth, List<ContenderSession> sessions)
    {
        foreach (Observation observation in sessions.Count > 0 ? interleaved.Measure(scenario, depth, sessions) : [])
        {
            run.Add(observation);
        }
    }

    /// <summary>What a contender cannot do is said where its figure would stand.</summary>
    private static void LeaveOut(SuiteRun run, Contender contender, DaemonTrials trials, string reason)
    {
        Topology topology = trials.Topology;
        foreach (DaemonScenario scenario in trials.Scenarios)
        {
            foreach (int depth in trials.Depths)
            {
                Conditions conditions = new(depth, topology.Queues, topology.Guests);
                run.Add(new Observation(BenchLevel.Daemon, scenario.Name, scenario.Title, conditions, contender.Name, Quantity.Rate, [], reason));
            }
        }
    }
}
