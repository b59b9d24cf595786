using System.CommandLine;
using System.Net;
using Coherency.Daemon.Dashboard;

namespace Coherency.Daemon.Commands;

/// <summary>Whether the daemon serves a dashboard, and where.</summary>
internal sealed class DashboardOptions
{
    private readonly Option<string?> _dashboard = new("--dashboard")
    {
        Description = "Serve a web page with guests, tables and stale entries on this port of the loopback; 'coherencyd admin dashboard' prints its address",
        HelpName = "PORT",
    };

    public void AddTo(Command command) => command.Options.Add(_dashboard);

    /// <returns>Null for none.</returns>
    /// <exception cref="UsageException">It is no port, or of another address than the loopback's.</exception>
    public IPEndPoint? Read(ParseResult parsed) => parsed.GetValue(_dashboard) is { } text ? DashboardAddress.Parse(text) : null;
}
