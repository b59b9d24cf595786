using System.Diagnostics.Metrics;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>How soon changes are noticed that programs of the host make beside the daemon.</summary>
internal sealed class WatcherInstruments
{
    public const string DelayName = "coherency.watcher.delay";

    private readonly GuestServer _server;
    private readonly HistogramFeed _delays;
    private readonly Lock _feeding = new();

    public WatcherInstruments(Meter meter, GuestServer server)
    {
        _server = server;
        _delays = new HistogramFeed(meter.CreateHistogram(
            DelayName, "s", "From when the watcher's thread learned of events of the host, to when their slots had moved", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = HistogramFeed.Bounds }));
        meter.CreateObservableGauge("coherency.watcher.alive", MeasureAlive, "{watcher}", "1 while the watcher's thread works, by the mechanism that it has");
    }

    private List<Measurement<long>> MeasureAlive()
    {
        List<Measurement<long>> measurements = [];
        lock (_feeding)
        {
            foreach (HostWatcher watcher in _server.Watchers)
            {
                KeyValuePair<string, object?> share = new(TelemetryNames.Share, watcher.Directory);
                _delays.PassOn(watcher, watcher.Delay.Read(), [share]);
                KeyValuePair<string, object?> mechanism = new("coherency.watcher.mechanism", watcher.State.ToString().ToLowerInvariant());
                measurements.Add(new Measurement<long>(watcher.IsAlive ? 1 : 0, share, mechanism));
            }
        }

        return measurements;
    }
}
