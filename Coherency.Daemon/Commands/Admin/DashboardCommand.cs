using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Grpc.Client;
using AdminMethods = Coherency.Daemon.Grpc.Services.Admin;

namespace Coherency.Daemon.Commands.Admin;

/// <summary><c>coherencyd admin dashboard</c>: prints the address of the dashboard.</summary>
internal sealed class DashboardCommand(AdminOptions options)
    : AdminSubcommand("dashboard", "Print the address of the dashboard, with the right to see it", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, GrpcChannel daemon, AdminOutput output, CancellationToken cancellation)
    {
        output.Print(
            await daemon.CallAsync(AdminMethods.GetDashboard, new GetDashboardRequest(), Patience, cancellation).ConfigureAwait(false),
            response => AdminOutput.PrintLine(response.Url));
        return CommandLine.Success;
    }
}
