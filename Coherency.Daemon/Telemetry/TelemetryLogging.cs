using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;

namespace Coherency.Daemon.Telemetry;

/// <summary>Sends the log by OTLP too, beside standard error.</summary>
internal static class TelemetryLogging
{
    private const string Prefix = "OTEL_";

    public static void AddTelemetry(this IHostApplicationBuilder builder, TelemetrySettings settings)
    {
        if (!settings.ExportsLogs)
        {
            return;
        }

        // The exporter of a host's log reads the host's configuration instead of the environment, and ours has none of it.
        builder.Configuration.AddInMemoryCollection(Variables());
        builder.Logging.AddOpenTelemetry(options =>
        {
            options.SetResourceBuilder(TelemetryResource.Describe());
            options.IncludeFormattedMessage = true;
            options.AddOtlpExporter();
        });
    }

    private static IEnumerable<KeyValuePair<string, string?>> Variables() =>
        from System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables()
        let name = (string)variable.Key
        where name.StartsWith(Prefix, StringComparison.Ordinal)
        select KeyValuePair.Create(name, (string?)variable.Value);
}
