namespace Coherency.Daemon.Telemetry.Prometheus;

/// <summary>
/// Names of OpenTelemetry as Prometheus has them (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility"): dots
/// become underscores, the unit is written out at the end, counters end with <c>_total</c>.
/// </summary>
internal static class PrometheusNames
{
    private const string Total = "_total";

    /// <summary>Endings that of single numbers only parts of histograms may have.</summary>
    private static readonly string[] Reserved = ["_count", "_sum", "_bucket"];

    /// <summary>The unit of the metric's name; empty for numbers of things.</summary>
    public static string UnitOf(string unit) => unit switch
    {
        "s" => "seconds",
        "ms" => "milliseconds",
        "By" => "bytes",
        "%" => "percent",
        "" or "1" => "",
        _ => unit.StartsWith('{') ? "" : Clean(unit),
    };

    /// <summary>The family's name, without <c>_total</c>.</summary>
    public static string FamilyOf(string name, string unit, bool isGauge)
    {
        string clean = Clean(name);
        if (clean.EndsWith(Total, StringComparison.Ordinal))
        {
            clean = clean[..^Total.Length];
        }

        string suffix = UnitOf(unit);
        if (suffix.Length > 0 && !clean.EndsWith($"_{suffix}", StringComparison.Ordinal))
        {
            clean = $"{clean}_{suffix}";
        }

        string? reserved = isGauge ? Array.Find(Reserved, ending => clean.EndsWith(ending, StringComparison.Ordinal)) : null;
        return reserved is null ? clean : clean[..^reserved.Length];
    }

    public static string SampleOf(string family, bool isCounter) => isCounter ? family + Total : family;

    public static string Clean(string name)
    {
        string clean = string.Create(name.Length, name, static (target, source) =>
        {
            for (int i = 0; i < source.Length; i++)
            {
                target[i] = char.IsAsciiLetterOrDigit(source[i]) ? source[i] : '_';
            }
        });
        return clean.Length > 0 && char.IsAsciiDigit(clean[0]) ? $"_{clean}" : clean;
    }
}
