using Coherency.Bench.Contenders;
using Coherency.Bench.Workloads;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Measurement;

/// <summary>
/// Measures one row at one depth: round by round, each contender in turn for an equal slice of time, so that what disturbs the
/// machine disturbs all of them.
/// </summary>
public sealed class InterleavedRun(BenchSettings settings)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(150);

    private readonly Dictionary<string, LatencyRecorder> _recorders = [];

    public RowResult Measure(WorkloadRow row, int depth, IReadOnlyList<ContenderSession> sessions)
    {
        Tally[] tallies = [.. sessions.Select(session => Begin(row, depth, session))];
        TimeSpan slice = TimeSpan.FromSeconds(settings.Seconds / settings.Rounds);
        for (int round = 0; round < settings.Rounds; round++)
        {
            foreach (Tally tally in tallies)
            {
                tally.RunSlice(slice);
            }
        }

        return new RowResult(row.Name, row.Title, depth, [.. tallies.Select(tally => tally.Finish())]);
    }

    private Tally Begin(WorkloadRow row, int depth, ContenderSession session)
    {
        if (!_recorders.TryGetValue(session.Contender.Name, out LatencyRecorder? recorder))
        {
            _recorders[session.Contender.Name] = recorder = new LatencyRecorder(settings.LatenciesMax);
        }

        IWorkload workload = row.Create(session.Fuse, depth);
        LaneRunner runner = new(session.Queue, workload, depth, settings.Wait);
        runner.Run(WarmUp, recorder);
        recorder.Clear();
        return new Tally(session, workload, runner, recorder);
    }

    /// <summary>One contender's sums over the rounds.</summary>
    private sealed class Tally(ContenderSession session, IWorkload workload, LaneRunner runner, LatencyRecorder recorder)
    {
        private readonly List<double> _roundP50s = [];
        private long _operations;
        private long _requests;
        private long _cpuNanoseconds;
        private TimeSpan _elapsed;

        public void RunSlice(TimeSpan duration)
        {
            int from = recorder.Count;
            long cpuBefore = ProcessUsage.ReadCpu(session.ProcessIds);
            Slice slice = runner.Run(duration, recorder);
            _cpuNanoseconds += ProcessUsage.ReadCpu(session.ProcessIds) - cpuBefore;
            _operations += slice.Operations;
            _requests += slice.Requests;
            _elapsed += slice.Elapsed;
            _roundP50s.Add(LatencyRecorder.PercentileMicroseconds(Sorted(from), 0.5));
        }

        public ContenderResult Finish()
        {
            runner.Finish();
            workload.Finish();
            long[] sorted = Sorted(from: 0);
            return new ContenderResult(
                session.Contender.Name,
                LatencyRecorder.PercentileMicroseconds(sorted, 0.50),
                LatencyRecorder.PercentileMicroseconds(sorted, 0.99),
                _operations / _elapsed.TotalSeconds,
                _requests / _elapsed.TotalSeconds,
                _cpuNanoseconds / 1e3 / _requests,
                _operations,
                _roundP50s);
        }

        private long[] Sorted(int from)
        {
            long[] latencies = recorder.ToArray(from);
            Array.Sort(latencies);
            return latencies;
        }
    }
}

/// <summary>How to measure.</summary>
/// <param name="Seconds">Time per row, depth and contender, divided into rounds.</param>
/// <param name="Inodes">Files to look up for the memory row; 0 for none.</param>
public sealed record BenchSettings(double Seconds, int Rounds, IReadOnlyList<int> Depths, IReadOnlyList<WorkloadRow> Rows, int Inodes, WaitPolicy Wait)
{
    private const int LatenciesPerSecondMax = 4_000_000;

    /// <summary>More than a row can produce in its time.</summary>
    public int LatenciesMax => (int)Math.Ceiling(Seconds * LatenciesPerSecondMax);
}
