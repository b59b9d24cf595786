using Coherency.Daemon.Dashboard;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Grpc.Core;
using AdminBase = Coherency.Admin.V1.Admin.AdminBase;

namespace Coherency.Daemon.Admin.Services;

/// <summary>Answers what protos/coherency/admin/v1/admin.proto asks; a file for each group of methods.</summary>
internal sealed partial class AdminService(
    DaemonReports reports,
    DaemonLookup lookup,
    DaemonState state,
    RequestHistory history,
    LogLevels levels,
    LiveConfiguration configuration,
    DashboardAccess? dashboard = null) : AdminBase
{
    private readonly GuestServer _server = reports.Server;

    /// <summary>
    /// Who calls, as <c>unix:</c>, <c>ipv4:address:port</c> or <c>ipv6:[address]:port</c>; the library has no name for the first.
    /// </summary>
    private static string PeerOf(ServerCallContext context) =>
        context.GetHttpContext().Connection.RemoteIpAddress is null ? "unix:" : context.Peer;
}
