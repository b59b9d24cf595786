using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>What every number about a client carries.</summary>
internal static class ClientTags
{
    public static KeyValuePair<string, object?>[] Of(ServedGuest client) =>
        [new(TelemetryNames.Guest, client.Name), new(TelemetryNames.Share, client.Share.Directory)];
}
