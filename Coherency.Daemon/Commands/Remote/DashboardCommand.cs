using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin dashboard</c>: prints the address of the dashboard.</summary>
internal sealed class DashboardCommand(AdminOptions options)
    : AdminSubcommand("dashboard", "Print the address of the dashboard, with the right to see it", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        output.Print(
            await daemon.GetDashboardAsync(new GetDashboardRequest(), Within(cancellation)).ConfigureAwait(false),
            response => AdminOutput.PrintLine(response.Url));
        return ExitCodes.Success;
    }
}
