using System.Diagnostics.Metrics;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>All instruments of a running server.</summary>
internal sealed class DaemonInstruments : IDisposable
{
    private readonly Meter _meter = new(TelemetryNames.Source, TelemetryResource.Version);

    /// <param name="server">Must outlive this.</param>
    public DaemonInstruments(GuestServer server, TelemetrySettings settings)
    {
        RequestInstruments requests = new(_meter, server, settings.ExportsMetrics);
        WatcherInstruments watchers = new(_meter, server, settings.ExportsMetrics);
        _ = new ResourceInstruments(_meter, server);
        _ = new CoherenceInstruments(_meter, server);
        Durations = [requests.Durations, watchers.Delays];
    }

    /// <summary>Those that the daemon counts in buckets of its own.</summary>
    public IReadOnlyList<DurationMetric> Durations { get; }

    public void Dispose() => _meter.Dispose();
}
