using System.Diagnostics.Metrics;
using System.Net;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting.Web;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Daemon.Telemetry.Prometheus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Coherency.Daemon.Telemetry;

/// <summary>
/// Metrics, traces and logs of a daemon, on their way out: by OTLP where the environment says so, and metrics to Prometheus when it
/// asks. Nothing is read while nobody collects.
/// </summary>
internal static class TelemetryHosting
{
    public const string MetricsOption = "--metrics";

    /// <summary>Of the runtime: garbage collection, threads, memory.</summary>
    private const string RuntimeMeter = "System.Runtime";

    /// <summary>Most series of a client and one instrument: each operation, with a few kinds of error.</summary>
    private const int SeriesPerClient = 300;

    /// <summary>What OpenTelemetry takes when nothing is said.</summary>
    private const int SeriesMin = 2000;

    private const int ScrapersMax = 16;

    /// <param name="clients">Guests and mounts that there are going to be.</param>
    public static void AddTelemetry(this IHostApplicationBuilder builder, TelemetrySettings settings, int clients)
    {
        int series = Math.Max(SeriesMin, SeriesPerClient * clients);
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton<DaemonInstruments>();
        builder.Services.AddSingleton<PrometheusReader>();
        OpenTelemetryBuilder telemetry = builder.Services.AddOpenTelemetry().WithMetrics(metrics =>
        {
            metrics.SetResourceBuilder(TelemetryResource.Describe())
                .AddMeter(TelemetryNames.Source)
                .AddMeter(RuntimeMeter)
                .AddView(instrument => ViewOf(instrument, series))
                .AddReader(services => services.GetRequiredService<PrometheusReader>().MetricReader);
            if (settings.ExportsMetrics)
            {
                metrics.AddOtlpExporter();
            }
        });
        if (settings.ExportsTraces)
        {
            // What is traced has been chosen before: all of it is sampled here, whatever OTEL_TRACES_SAMPLER says.
            telemetry.WithTracing(traces => traces
                .SetResourceBuilder(TelemetryResource.Describe())
                .AddSource(TelemetryNames.Source)
                .SetSampler(new AlwaysOnSampler())
                .AddOtlpExporter());
            builder.Services.AddHostedService<RequestTraces>();
        }

        if (settings.ExportsLogs)
        {
            telemetry.WithLogging(
                logs => logs.SetResourceBuilder(TelemetryResource.Describe()).AddOtlpExporter(),
                options => options.IncludeFormattedMessage = true);
        }
    }

    /// <summary>Lets a Prometheus scrape there, without a certificate.</summary>
    public static void AddMetricsListener(this WebApplicationBuilder builder, ListeningPlace place) => builder.Listen(
        place.Address, Listener.Metrics, ScrapersMax, place.Bind,
        listen => listen.Protocols = HttpProtocols.Http1);

    /// <summary>Lets GET /metrics be answered, to those who administrate too.</summary>
    public static void MapMetrics(this WebApplication web) =>
        web.MapGet(PrometheusEndpoint.Path, (RequestDelegate)PrometheusEndpoint.AnswerAsync).OnlyAt(
            Listener.Metrics, Listener.Administration);

    private static MetricStreamConfiguration? ViewOf(Instrument instrument, int series) => instrument.Name switch
    {
        _ when instrument.Meter.Name != TelemetryNames.Source => null,
        RequestInstruments.DurationName or WatcherInstruments.DelayName =>
            new ExplicitBucketHistogramConfiguration
            {
                Boundaries = [.. HistogramFeed.Bounds],
                CardinalityLimit = series,
                RecordMinMax = false,
            },
        _ => new MetricStreamConfiguration { CardinalityLimit = series },
    };
}
