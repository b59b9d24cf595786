using System.Globalization;
using System.Text;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Host.Server.Statistics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Coherency.Daemon.Telemetry.Prometheus;

/// <summary>
/// Writes metrics in the text format of Prometheus, version 0.0.4, or in that of OpenMetrics 1.0, which says units, names counters
/// without their ending and has an end.
/// </summary>
internal sealed class PrometheusText(bool isOpenMetrics)
{
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _labels = new();

    /// <summary>What the resource says, as the labels of one metric.</summary>
    public void WriteTarget(Resource resource)
    {
        SetLabels(resource.Attributes.Select(attribute => new KeyValuePair<string, object?>(attribute.Key, attribute.Value)));
        WriteHead(
            "target_info", isOpenMetrics ? "target" : "target_info", isOpenMetrics ? "info" : "gauge", "", "What sends these metrics");
        WriteSample("target_info", "", 1);
    }

    /// <summary>A metric with one number in each series: histograms come as <see cref="DurationMetric"/>.</summary>
    public void Write(Metric metric)
    {
        if (metric.MetricType is MetricType.Histogram or MetricType.ExponentialHistogram)
        {
            return;
        }

        bool isCounter = metric.MetricType.IsSum() && metric.MetricType is not (
            MetricType.LongSumNonMonotonic or MetricType.DoubleSumNonMonotonic);
        string family = PrometheusNames.FamilyOf(metric.Name, metric.Unit, isGauge: !isCounter);
        string name = PrometheusNames.SampleOf(family, isCounter);
        WriteHead(
            name, isOpenMetrics ? family : name, isCounter ? "counter" : "gauge", PrometheusNames.UnitOf(metric.Unit), metric.Description);
        foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
        {
            SetLabels(point.Tags);
            WriteSample(name, "", ValueOf(metric.MetricType, point));
        }
    }

    public void Write(DurationMetric metric)
    {
        string name = PrometheusNames.FamilyOf(metric.Name, DurationMetric.Unit, isGauge: false);
        WriteHead(name, name, "histogram", PrometheusNames.UnitOf(DurationMetric.Unit), metric.Description);
        foreach (DurationSeries series in metric.Read())
        {
            SetLabels(series.Tags);
            WriteHistogram(name, series.Totals);
        }
    }

    public string Finish() => isOpenMetrics ? _text.Append("# EOF\n").ToString() : _text.ToString();

    private static double ValueOf(MetricType type, in MetricPoint point) => type switch
    {
        MetricType.LongSum or MetricType.LongSumNonMonotonic => point.GetSumLong(),
        MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic => point.GetSumDouble(),
        MetricType.LongGauge => point.GetGaugeLastValueLong(),
        MetricType.DoubleGauge => point.GetGaugeLastValueDouble(),
        _ => double.NaN,
    };

    private void WriteHead(string name, string family, string type, string unit, string help)
    {
        _text.Append("# TYPE ").Append(family).Append(' ').Append(type).Append('\n');
        if (isOpenMetrics && unit.Length > 0)
        {
            _text.Append("# UNIT ").Append(family).Append(' ').Append(unit).Append('\n');
        }

        string text = help.Length > 0 ? help : name;
        _text.Append("# HELP ").Append(family).Append(' ').Append(Escape(text)).Append('\n');
    }

    private void WriteHistogram(string name, DurationTotals totals)
    {
        long count = 0;
        for (int bucket = 0; bucket < DurationBuckets.Count; bucket++)
        {
            // Buckets of the format hold all that is below their bound, not only what is above that of the one before.
            count += totals.Counts[bucket];
            double bound = bucket < HistogramFeed.Bounds.Count ? HistogramFeed.Bounds[bucket] : double.PositiveInfinity;
            WriteSample(name + "_bucket", $"le=\"{Format(bound)}\"", count);
        }

        WriteSample(name + "_sum", "", totals.Nanoseconds.Sum() / DurationMetric.NanosecondsPerSecond);
        WriteSample(name + "_count", "", count);
    }

    private void WriteSample(string name, string lastLabel, double value)
    {
        _text.Append(name);
        if (_labels.Length > 0 || lastLabel.Length > 0)
        {
            string separator = _labels.Length > 0 && lastLabel.Length > 0 ? "," : "";
            _text.Append('{').Append(_labels).Append(separator).Append(lastLabel).Append('}');
        }

        _text.Append(' ').Append(Format(value)).Append('\n');
    }

    private void SetLabels(ReadOnlyTagCollection tags)
    {
        _labels.Clear();
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            AddLabel(tag);
        }
    }

    private void SetLabels(IEnumerable<KeyValuePair<string, object?>> attributes)
    {
        _labels.Clear();
        foreach (KeyValuePair<string, object?> attribute in attributes)
        {
            AddLabel(attribute);
        }
    }

    private void AddLabel(KeyValuePair<string, object?> label)
    {
        string value = Convert.ToString(label.Value, CultureInfo.InvariantCulture) ?? "";
        _labels.Append(_labels.Length > 0 ? "," : "").Append(PrometheusNames.Clean(label.Key))
            .Append("=\"").Append(Escape(value).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
    }

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Format(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e'),
    };
}
