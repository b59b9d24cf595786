using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;

namespace Coherency.Daemon.Telemetry;

/// <summary>Sends the log by OTLP too, beside standard error.</summary>
internal static class TelemetryLogging
{
    public static void AddTelemetry(this ILoggingBuilder logging, TelemetrySettings settings)
    {
        if (settings.ExportsLogs)
        {
            logging.AddOpenTelemetry(options =>
            {
                options.SetResourceBuilder(TelemetryResource.Describe());
                options.IncludeFormattedMessage = true;
                options.AddOtlpExporter();
            });
        }
    }
}
