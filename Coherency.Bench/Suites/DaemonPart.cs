using Coherency.Bench.Measurement;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Suites;

/// <summary>
/// Level 2: daemons, driven by guests in user space, each on a tree of its own with the same content.
/// <para>
/// Half of the rounds are measured with trees, daemons and guests made anew, in the opposite order: one and the same daemon takes
/// up to a fifth longer for 1 MiB reads when it is started first than when it is started last.
/// </para>
/// </summary>
internal sealed class DaemonPart(IReadOnlyList<DaemonTrials> plan, IReadOnlyList<Contender> contenders, BenchSettings settings) : ISuitePart
{
    /// <summary>For requests beside the lanes' own.</summary>
    private const int SpareSlots = 8;

    public int Steps => Passes.Length * plan.Sum(trials => 1 + (trials.Scenarios.Count * trials.Depths.Count));

    private Pass[] Passes => settings.Rounds > 1
        ? [new Pass(contenders, settings.Rounds - (settings.Rounds / 2)), new Pass([.. contenders.Reverse()], settings.Rounds / 2)]
        : [new Pass(contenders, settings.Rounds)];

    public void Run(SuiteRun run)
    {
        InterleavedRun interleaved = new(settings, run.Interrupted);
        foreach ((DaemonTrials trials, Pass pass) in plan.SelectMany(_ => Passes, (trials, pass) => (trials, pass)))
            Run(run, interleaved, trials, pass);
    }

    private void Run(SuiteRun run, InterleavedRun interleaved, DaemonTrials trials, Pass pass)
    {
        run.BeginStep($"starting the daemons for {trials.Topology}");
        string directory = Directory.CreateDirectory(Path.Combine(run.WorkDirectory, "daemon")).FullName;
        List<ContenderSession> sessions = [];
        try
        {
            foreach (Contender contender in pass.Order.Where(contender => contender.IsWorthMeasuring(trials.Topology)))
                Start(run, contender, trials, directory, sessions);
            foreach ((DaemonScenario scenario, int depth) in trials.Scenarios
                .SelectMany(_ => trials.Depths, (scenario, depth) => (scenario, depth)))
            {
                run.BeginStep($"{scenario.Title}, depth {depth}, {trials.Topology}");
                run.Add(sessions.Count > 0 ? interleaved.Measure(scenario, depth, sessions, pass.Rounds) : []);
            }
        }
        finally
        {
            sessions.ForEach(session => session.Dispose());
            Directory.Delete(directory, recursive: true);
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
        string share = Directory.CreateDirectory(Path.Combine(own, "share")).FullName;
        BenchTree.LayOut(share);
        ContenderSession session = new(
            contender, trials.Topology, share, own, trials.Depths.Max() + SpareSlots, settings.WaitOf(trials.Topology));
        sessions.Add(session);
        run.Add(new ContenderDescription(contender.Name, contender.ReadVersion(), session.Commands));
    }

    /// <summary>What a contender cannot do is said where its figure would stand.</summary>
    private static void LeaveOut(SuiteRun run, Contender contender, DaemonTrials trials, string reason)
    {
        Topology topology = trials.Topology;
        run.Add(
            from scenario in trials.Scenarios
            from depth in trials.Depths
            let conditions = new Conditions(depth, topology.Queues, topology.Guests)
            select new Observation(
                BenchLevel.Daemon, scenario.Name, scenario.Title, conditions, contender.Name, Quantity.Rate, [], reason));
    }

    /// <summary>Some of the rounds, with the contenders started in that order.</summary>
    private sealed record Pass(IReadOnlyList<Contender> Order, int Rounds);
}
