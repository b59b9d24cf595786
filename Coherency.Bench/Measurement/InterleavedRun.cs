using Coherency.Bench.Contenders;
using Coherency.Bench.Results;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Measures one scenario at one depth: round by round, each contender in turn for an equal slice of time, so that what disturbs
/// the machine disturbs all of them.
/// </summary>
internal sealed class InterleavedRun(BenchSettings settings, CancellationToken interrupted)
{
    /// <summary>Lets the daemons and this client compile what the scenario needs, unless it was measured at another depth before.</summary>
    private static readonly TimeSpan FirstWarmUpMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LaterWarmUpMax = TimeSpan.FromMilliseconds(100);

    private readonly List<LatencyRecorder> _recorders = [];
    private (IReadOnlyList<ContenderSession> Sessions, DaemonScenario Scenario)? _warm;

    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    public IReadOnlyList<Observation> Measure(DaemonScenario scenario, int depth, IReadOnlyList<ContenderSession> sessions, int rounds)
    {
        Topology topology = sessions[0].Topology;
        while (_recorders.Count < topology.Drivers)
        {
            _recorders.Add(new LatencyRecorder(settings.LatenciesMax));
        }

        Trial[] trials = [.. sessions.Select(session => new Trial(session, scenario, depth, _recorders, settings))];
        RunRound(trials, WarmUpOf(scenario, sessions), counts: false);
        for (int round = 0; round < rounds; round++)
        {
            RunRound(trials, settings.Slice, counts: true);
        }

        return [.. trials.Zip(sessions).SelectMany(pair => pair.First.Finish(RemarkOn(pair.Second)))];
    }

    private TimeSpan WarmUpOf(DaemonScenario scenario, IReadOnlyList<ContenderSession> sessions)
    {
        bool isFirst = _warm != (sessions, scenario);
        _warm = (sessions, scenario);
        double seconds = Math.Min(settings.Seconds, (isFirst ? FirstWarmUpMax : LaterWarmUpMax).TotalSeconds);
        return TimeSpan.FromSeconds(seconds);
    }

    private void RunRound(Trial[] trials, TimeSpan slice, bool counts)
    {
        foreach (Trial trial in trials)
        {
            interrupted.ThrowIfCancellationRequested();
            trial.RunSlice(slice, counts);
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
