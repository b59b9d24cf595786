using Coherency.Admin.V1;
using Coherency.Daemon.Admin.Services;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Grpc.Services;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Google.Protobuf.Reflection;
using Grpc.Health.V1;
using Grpc.Reflection.V1;
using AdminMethods = Coherency.Daemon.Grpc.Services.Admin;

namespace Coherency.Daemon.Admin;

/// <summary>All that the administration offers.</summary>
internal static class AdminServices
{
    /// <summary>The files that describe it.</summary>
    private static readonly FileDescriptor[] Files =
        [AdminReflection.Descriptor, HealthReflection.Descriptor, ReflectionReflection.Descriptor];

    public static IEnumerable<ServerServiceDefinition> Of(DaemonReports reports, LogLevels levels, Uri? dashboard)
    {
        ReflectionService reflection = new(Files);
        return
        [
            AdminMethods.BindService(new AdminService(reports, levels, dashboard)),
            Health.BindService(new HealthService(reports.Server)),
            ServerReflection.BindService(reflection),
            ServerReflection.BindService(reflection, ServerReflection.OlderServiceName),
        ];
    }
}
