using Coherency.Daemon.Configuration;
using Coherency.Daemon.Telemetry;

namespace Coherency.Tests.Telemetry;

public sealed class TelemetrySettingsTests
{
    [Theory]
    [InlineData("", false, false, false, 0)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x", true, false, true, 0)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_SAMPLER=always_on", true, true, true, 1)]
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.01", true, true, true, 100)]
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0",
        true,
        false,
        true,
        0)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_SAMPLER=always_off", true, false, true, 0)]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://x", true, false, false, 0)]
    [InlineData("OTEL_METRICS_EXPORTER=otlp", true, false, false, 0)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_LOGS_EXPORTER=none", true, false, false, 0)]
    [InlineData("OTEL_TRACES_SAMPLER=always_on", false, false, false, 1)]
    public void The_standard_variables_say_what_is_exported(string variables, bool metrics, bool traces, bool logs, int sampleEvery)
    {
        TelemetrySettings settings = TelemetrySettings.Read(Parse(variables));
        Assert.Equal(new TelemetrySettings(IsDisabled: false, metrics, traces, logs, sampleEvery), settings);
    }

    [Fact]
    public void Disabled_is_disabled()
    {
        TelemetrySettings settings = TelemetrySettings.Read(
            Parse("OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_SAMPLER=always_on"));
        Assert.Equal(TelemetrySettings.Off with { IsDisabled = true }, settings);
    }

    private static Func<string, string?> Parse(string variables) =>
        variables.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(variable => variable.Split('=', 2))
            .ToDictionary(parts => parts[0], parts => parts[1])
            .GetValueOrDefault;
}
