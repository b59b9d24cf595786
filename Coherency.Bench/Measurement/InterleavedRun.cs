using Coherency.Bench.Workloads;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Measures one scenario at one depth: round by round, each contender in turn for an equal slice of time, so that what disturbs
/// the machine disturbs all of them.
/// </summary>
internal sealed class InterleavedRun(BenchSettings settings, CancellationToken interrupted)
{
    private readonly List<LatencyRecorder> _recorders = [];
    private (IReadOnlyList<ContenderSession> Sessions, DaemonScenario Scenario)? _warmedUp;

    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    public IReadOnlyList<Observation> Measure(DaemonScenario scenario, int depth, IReadOnlyList<ContenderSession> sessions, int rounds)
    {
        Topology topology = sessions[0].Topology;
        while (_recorders.Count < topology.Drivers)
            _recorders.Add(new LatencyRecorder(settings.LatenciesMax));
        Trial[] trials = [.. sessions.Select(session => new Trial(session, scenario, depth, _recorders, settings))];
        RunRounds(trials, WarmUpRoundsOf(scenario, sessions), count: false);
        RunRounds(trials, rounds, count: true);
        return [.. trials.Zip(sessions).SelectMany(pair => pair.First.Finish(RemarkOn(pair.Second)))];
    }

    /// <summary>In which the daemons and this client compile what the scenario needs, unless they did at another depth before.</summary>
    private int WarmUpRoundsOf(DaemonScenario scenario, IReadOnlyList<ContenderSession> sessions)
    {
        bool isFirst = _warmedUp != (sessions, scenario);
        _warmedUp = (sessions, scenario);
        return isFirst ? Math.Max(settings.Rounds / 2, 1) : 1;
    }

    private void RunRounds(Trial[] trials, int rounds, bool count)
    {
        for (int round = 0; round < rounds; round++)
        {
            foreach (Trial trial in trials)
            {
                interrupted.ThrowIfCancellationRequested();
                trial.RunSlice(settings.Slice, count);
            }
        }
    }

    private static string? RemarkOn(ContenderSession session)
    {
        string? sleeps = BenchSettings.Polls(session.Topology)
            ? null
            : $"the client's {session.Topology.Drivers} threads sleep until a reply comes, on {Environment.ProcessorCount} processors";
        string[] remarks = [.. new[] { session.Contender.RemarkOn(session.Topology), sleeps }.OfType<string>()];
        return remarks.Length > 0 ? string.Join("; ", remarks) : null;
    }
}

/// <summary>How a daemon is measured.</summary>
/// <param name="Seconds">Time per scenario, depth and contender, divided into rounds.</param>
/// <param name="SpinMicroseconds">Poll that long for a reply before sleeping, where there are processors for it.</param>
internal sealed record BenchSettings(double Seconds, int Rounds, int SpinMicroseconds)
{
    private const int ReplyTimeoutMs = 30_000;

    /// <summary>More than a queue can answer in a second.</summary>
    private const int LatenciesPerSecondMax = 4_000_000;

    public TimeSpan Slice => TimeSpan.FromSeconds(Seconds / Rounds);

    /// <summary>Room for each latency of a slice.</summary>
    public int LatenciesMax => (int)Math.Ceiling(Slice.TotalSeconds * LatenciesPerSecondMax) + LatenciesMin;

    private const int LatenciesMin = 1024;

    /// <summary>
    /// A client that polls takes a processor from the daemon when there is not one for each queue on both sides; its threads
    /// sleep then, as a guest's would.
    /// </summary>
    public static bool Polls(Topology topology) => 2 * topology.Drivers <= Environment.ProcessorCount;

    public WaitPolicy WaitOf(Topology topology) => new(Polls(topology) ? SpinMicroseconds : 0, ReplyTimeoutMs);
}
