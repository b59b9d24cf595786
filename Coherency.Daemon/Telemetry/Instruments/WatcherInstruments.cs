using System.Diagnostics.Metrics;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>How soon changes are noticed that programs of the host make beside the daemon.</summary>
internal sealed class WatcherInstruments
{
    public const string DelayName = "coherency.watcher.delay";

    private readonly GuestServer _server;
    private readonly HistogramFeed? _feed;
    private readonly Lock _feeding = new();

    /// <param name="feedsHistogram">Somebody collects who needs a histogram of OpenTelemetry.</param>
    public WatcherInstruments(Meter meter, GuestServer server, bool feedsHistogram)
    {
        _server = server;
        Delays = new DurationMetric(
            DelayName, "From when the watcher's thread learned of events of the host, to when their slots had moved", ReadDelays);
        _feed = feedsHistogram ? new HistogramFeed(meter, Delays) : null;
        meter.CreateObservableGauge(
            "coherency.watcher.alive", MeasureAlive, "{watcher}", "1 while the watcher's thread works, by the mechanism that it has");
    }

    public DurationMetric Delays { get; }

    private IEnumerable<Measurement<long>> MeasureAlive()
    {
        lock (_feeding)
        {
            _feed?.PassOn();
        }

        return from watcher in _server.Watchers
               select new Measurement<long>(
                   watcher.IsAlive ? 1 : 0, ShareOf(watcher), new(
                       "coherency.watcher.mechanism", watcher.State.ToString().ToLowerInvariant()));
    }

    private IEnumerable<DurationSeries> ReadDelays() =>
        from watcher in _server.Watchers
        select new DurationSeries(watcher, [ShareOf(watcher)], watcher.Delay.Read());

    private static KeyValuePair<string, object?> ShareOf(HostWatcher watcher) => new(TelemetryNames.Share, watcher.Directory);
}
