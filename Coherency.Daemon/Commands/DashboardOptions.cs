using System.CommandLine;

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
    public string? Read(ParseResult parsed) => parsed.GetValue(_dashboard);
}
