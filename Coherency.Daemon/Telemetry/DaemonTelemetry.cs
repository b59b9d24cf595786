using System.Diagnostics.Metrics;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Daemon.Telemetry.Prometheus;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Coherency.Daemon.Telemetry;

/// <summary>
/// Metrics and traces of a running server, on their way out: by OTLP where the environment says so, and to Prometheus when it
/// asks. Nothing is read while nobody collects.
/// </summary>
internal sealed class DaemonTelemetry : IDisposable
{
    /// <summary>Of the runtime: garbage collection, threads, memory.</summary>
    private const string RuntimeMeter = "System.Runtime";

    /// <summary>Most series of a client and one instrument: each operation, with a few kinds of error.</summary>
    private const int SeriesPerClient = 300;

    /// <summary>What OpenTelemetry takes when nothing is said.</summary>
    private const int SeriesMin = 2000;

    private readonly Meter _meter = new(TelemetryNames.Source, TelemetryResource.Version);
    private readonly MeterProvider _metrics;
    private readonly TracerProvider? _traces;
    private readonly RequestTraces? _requestTraces;

    /// <param name="server">Must outlive this.</param>
    public DaemonTelemetry(GuestServer server, TelemetrySettings settings)
    {
        RequestInstruments requests = new(_meter, server.Guests, settings.ExportsMetrics);
        WatcherInstruments watchers = new(_meter, server, settings.ExportsMetrics);
        _ = new ResourceInstruments(_meter, server);
        _ = new CoherenceInstruments(_meter, server);
        PrometheusReader reader = new([requests.Durations, watchers.Delays], settings.IsDisabled);
        _metrics = BuildMetrics(reader, settings, Math.Max(SeriesMin, SeriesPerClient * server.Guests.Count));
        Prometheus = new PrometheusEndpoint(reader);
        if (settings.ExportsTraces)
        {
            _traces = BuildTraces();
            _requestTraces = new RequestTraces(server.Guests, settings.SampleEvery);
        }
    }

    /// <summary>Answers scrapes; empty when telemetry is disabled.</summary>
    public PrometheusEndpoint Prometheus { get; }

    /// <summary>Exports what has come since the last time.</summary>
    public void Dispose()
    {
        _requestTraces?.Dispose();
        _traces?.Dispose();
        _metrics.Dispose();
        _meter.Dispose();
    }

    private MeterProvider BuildMetrics(PrometheusReader reader, TelemetrySettings settings, int series)
    {
        MeterProviderBuilder builder = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(TelemetryResource.Describe())
            .AddMeter(_meter.Name)
            .AddMeter(RuntimeMeter)
            .AddView(instrument => ViewOf(instrument, series))
            .AddReader(reader.MetricReader);
        if (settings.ExportsMetrics)
        {
            builder.AddOtlpExporter();
        }

        return builder.Build();
    }

    private static MetricStreamConfiguration? ViewOf(Instrument instrument, int series) => instrument.Name switch
    {
        _ when instrument.Meter.Name != TelemetryNames.Source => null,
        RequestInstruments.DurationName or WatcherInstruments.DelayName =>
            new ExplicitBucketHistogramConfiguration { Boundaries = [.. HistogramFeed.Bounds], CardinalityLimit = series, RecordMinMax = false },
        _ => new MetricStreamConfiguration { CardinalityLimit = series },
    };

    /// <summary>What is traced has been chosen before: all of it is sampled here, whatever OTEL_TRACES_SAMPLER says.</summary>
    private static TracerProvider BuildTraces() => Sdk.CreateTracerProviderBuilder()
        .SetResourceBuilder(TelemetryResource.Describe())
        .AddSource(TelemetryNames.Source)
        .SetSampler(new AlwaysOnSampler())
        .AddOtlpExporter()
        .Build();
}
