using System.CommandLine;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Commands;

/// <summary>What a daemon shows of itself to browsers and to Prometheus, and where.</summary>
internal sealed class ViewOptions
{
    private readonly Option<string?> _dashboard = new("--dashboard")
    {
        Description = "Serve a web page with guests, tables and stale entries on this port of the loopback; 'coherencyd admin " +
            "dashboard' prints its address",
        HelpName = "PORT",
    };

    private readonly Option<string?> _metrics = new("--metrics")
    {
        Description = "Serve /metrics for Prometheus on this port of the loopback, or on this address, to whoever can reach it",
        HelpName = "[ADDRESS:]PORT",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_dashboard);
        command.Options.Add(_metrics);
    }

    /// <summary>What is given here goes before what a file said.</summary>
    public ServeConfiguration Read(ParseResult parsed, ServeConfiguration configuration) => configuration with
    {
        Dashboard = parsed.GetValue(_dashboard) ?? configuration.Dashboard,
        Metrics = parsed.GetValue(_metrics) ?? configuration.Metrics,
    };
}
