using System.Reflection;
using OpenTelemetry.Resources;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>Who sends. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.</summary>
internal static class TelemetryResource
{
    private const string DefaultServiceName = "coherencyd";

    public static string Version { get; } = typeof(TelemetryResource).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>The same for all signals of a process.</summary>
    private static string InstanceId { get; } = Guid.NewGuid().ToString();

    public static ResourceBuilder Describe() => ResourceBuilder.CreateEmpty()
        .AddService(DefaultServiceName, serviceVersion: Version, serviceInstanceId: InstanceId)
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector();
}
