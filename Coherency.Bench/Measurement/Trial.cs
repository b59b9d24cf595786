using Coherency.Bench.Workloads;
using Coherency.Guest;

namespace Coherency.Bench.Measurement;

/// <summary>One contender in one scenario at one depth: what each round finds, quantity by quantity.</summary>
internal sealed class Trial
{
    private const double NanosecondsPerMicrosecond = 1e3;

    private readonly ContenderSession _session;
    private readonly DaemonScenario _scenario;
    private readonly int _depth;
    private readonly List<QueueDriver> _drivers = [];
    private readonly Dictionary<Quantity, List<double>> _samples = [];
    private string? _failure;

    /// <param name="recorders">One for each queue that is driven; only one trial uses them at a time.</param>
    public Trial(
        ContenderSession session, DaemonScenario scenario, int depth, IReadOnlyList<LatencyRecorder> recorders, BenchSettings settings)
    {
        _session = session;
        _scenario = scenario;
        _depth = depth;
        Attempt(() => Prepare(recorders, settings));
    }

    /// <summary>Measures one slice; what a contender refuses is remembered, and it is left alone from then on.</summary>
    public void RunSlice(TimeSpan duration, bool counts) => Attempt(() =>
    {
        long daemonCpu = ProcessUsage.ReadCpu(_session.ProcessIds);
        long guestCpu = ProcessUsage.ReadCpu([Environment.ProcessId]);
        QueueDriver.RunTogether(_drivers, duration);
        guestCpu = ProcessUsage.ReadCpu([Environment.ProcessId]) - guestCpu;
        daemonCpu = ProcessUsage.ReadCpu(_session.ProcessIds) - daemonCpu;
        if (counts)
            AddSamples(daemonCpu, guestCpu);
    });

    /// <summary>Gives back what the drivers hold, and says what was found.</summary>
    public IEnumerable<Observation> Finish(string? remark)
    {
        Attempt(() => _drivers.ForEach(driver => driver.Finish()));
        return _failure is null
            ? _samples.Select(samples => Observe(samples.Key, samples.Value, remark))
            : [Observe(Quantity.Rate, [], _failure)];
    }

    private void Prepare(IReadOnlyList<LatencyRecorder> recorders, BenchSettings settings)
    {
        foreach (VirtioFsGuest guest in _session.Guests)
        {
            for (int queue = 0; queue < _session.Topology.Queues; queue++)
            {
                int index = _drivers.Count;
                Workload workload = new(new WorkloadContext(guest.Fuse, _depth, index), _scenario.Program, _scenario.Permitted);
                _drivers.Add(new QueueDriver(
                    guest.Connection.RequestQueues[queue], workload, _depth, recorders[index], settings.WaitOf(_session.Topology)));
            }
        }
    }

    private void AddSamples(long daemonCpu, long guestCpu)
    {
        long[] latencies = [.. _drivers.SelectMany(driver => driver.Latencies.ToArray())];
        Array.Sort(latencies);
        double requests = _drivers.Sum(driver => driver.Slice.Requests);
        Add(Quantity.LatencyP50, LatencyRecorder.PercentileMicroseconds(latencies, 0.50));
        Add(Quantity.LatencyP99, LatencyRecorder.PercentileMicroseconds(latencies, 0.99));
        Add(Quantity.Rate, _drivers.Sum(driver => driver.Slice.Operations / driver.Slice.Elapsed.TotalSeconds));
        Add(Quantity.Requests, requests / _drivers.Sum(driver => driver.Slice.Operations));
        Add(Quantity.DaemonCpu, daemonCpu / NanosecondsPerMicrosecond / requests);
        Add(Quantity.GuestCpu, guestCpu / NanosecondsPerMicrosecond / requests);
    }

    private void Add(Quantity quantity, double sample)
    {
        if (!_samples.TryGetValue(quantity, out List<double>? samples))
            _samples[quantity] = samples = [];
        samples.Add(sample);
    }

    private Observation Observe(Quantity quantity, IReadOnlyList<double> samples, string? remark) => new(
        BenchLevel.Daemon,
        _scenario.Name,
        _scenario.Title,
        new Conditions(_depth, _session.Topology.Queues, _session.Topology.Guests),
        _session.Contender.Name,
        quantity,
        samples,
        remark);

    /// <summary>An error reply is this contender's answer in this scenario, and no reason to stop measuring the others.</summary>
    private void Attempt(Action action)
    {
        if (_failure is not null)
            return;
        try
        {
            action();
        }
        catch (Guest.Fuse.FuseException e)
        {
            _failure = $"it answered {e.Message}";
            _drivers.ForEach(driver => driver.Finish());
        }
    }
}
