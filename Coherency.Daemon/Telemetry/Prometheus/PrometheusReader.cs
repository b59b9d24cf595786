using Coherency.Daemon.Configuration;
using Coherency.Daemon.Telemetry.Instruments;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Coherency.Daemon.Telemetry.Prometheus;

/// <summary>Collects when it is asked to, as text.</summary>
internal sealed class PrometheusReader : IDisposable
{
    private readonly Lock _collecting = new();
    private readonly Exporter _exporter;
    private readonly bool _isDisabled;

    /// <param name="instruments">Their durations are written from the daemon's own buckets: exact, and as quick after a year as after a
    /// second.</param>
    /// <param name="settings">When telemetry is disabled, there is nothing to read.</param>
    public PrometheusReader(DaemonInstruments instruments, TelemetrySettings settings)
    {
        _isDisabled = settings.IsDisabled;
        _exporter = new Exporter(instruments.Durations);
        MetricReader = new BaseExportingMetricReader(_exporter);
    }

    /// <summary>What the provider of the metrics is given; it disposes it.</summary>
    public MetricReader MetricReader { get; }

    /// <summary>All metrics as they are now; one collection at a time.</summary>
    public string Read(bool isOpenMetrics)
    {
        lock (_collecting)
        {
            PrometheusText text = new(isOpenMetrics);
            _exporter.Text = text;
            if (!_isDisabled)
            {
                MetricReader.Collect();
            }

            _exporter.Text = null;
            return text.Finish();
        }
    }

    public void Dispose() => MetricReader.Dispose();

    private sealed class Exporter(IReadOnlyList<DurationMetric> durations) : BaseExporter<Metric>
    {
        /// <summary>Null while nobody asked: the provider collects once more when it ends.</summary>
        public PrometheusText? Text { get; set; }

        public override ExportResult Export(in Batch<Metric> batch)
        {
            if (Text is not { } text)
            {
                return ExportResult.Success;
            }

            text.WriteTarget(ParentProvider.GetResource());
            foreach (Metric metric in batch)
            {
                // Where OTLP is on too, these have a histogram for it.
                if (!durations.Any(own => own.Name == metric.Name))
                {
                    text.Write(metric);
                }
            }

            foreach (DurationMetric own in durations)
            {
                text.Write(own);
            }

            return ExportResult.Success;
        }
    }
}
