using System.Globalization;

namespace Coherency.Daemon.Configuration;

/// <summary>
/// What is exported by OTLP, by the standard variables of OpenTelemetry; the exporters read for themselves where to, how and
/// how often. Without an endpoint, and without an exporter that is asked for by name, nothing is.
/// </summary>
/// <param name="IsDisabled">OTEL_SDK_DISABLED: no telemetry at all.</param>
/// <param name="SampleEvery">One request of so many is traced; 0 for none.</param>
internal sealed record TelemetrySettings(bool IsDisabled, bool ExportsMetrics, bool ExportsTraces, bool ExportsLogs, int SampleEvery)
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Nothing is exported.</summary>
    public static TelemetrySettings Off { get; } = new(false, false, false, false, 0);

    /// <param name="variable">The value of an environment variable; null when it is not set.</param>
    public static TelemetrySettings Read(Func<string, string?> variable)
    {
        if (string.Equals(variable("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase))
        {
            return Off with { IsDisabled = true };
        }

        int sampleEvery = ReadSampleEvery(variable);
        return new TelemetrySettings(
            IsDisabled: false,
            Exports(variable, "METRICS"),
            Exports(variable, "TRACES") && sampleEvery > 0,
            Exports(variable, "LOGS"),
            sampleEvery);
    }

    private static bool Exports(Func<string, string?> variable, string signal) => variable($"OTEL_{signal}_EXPORTER") switch
    {
        null or "" => IsSet(variable(Endpoint)) || IsSet(variable($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")),
        string exporters => exporters.Split(',', StringSplitOptions.TrimEntries).Contains("otlp"),
    };

    /// <summary>Requests are not traced unless a sampler is asked for: there are hundreds of thousands a second.</summary>
    private static int ReadSampleEvery(Func<string, string?> variable) => variable("OTEL_TRACES_SAMPLER") switch
    {
        "always_on" or "parentbased_always_on" => 1,
        "traceidratio" or "parentbased_traceidratio" => ReadRatio(variable("OTEL_TRACES_SAMPLER_ARG")),
        _ => 0,
    };

    private static int ReadRatio(string? text)
    {
        double ratio = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double given) ? given : 1;
        return ratio > 0 ? (int)Math.Clamp(Math.Round(1 / ratio), 1, int.MaxValue) : 0;
    }

    private static bool IsSet(string? value) => !string.IsNullOrEmpty(value);
}
