using System.CommandLine;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin</c>: asks a running daemon, and steers it.</summary>
internal sealed class AdminCommand : Command
{
    /// <summary>Nobody listens at the socket, or this user may not open it.</summary>
    public const int NoDaemon = 3;

    /// <summary>With <c>stale --fail</c>: there are stale entries.</summary>
    public const int FoundStale = 4;

    public AdminCommand()
        : base("admin", "Ask a running daemon which guest holds what, and steer it. Exits with 0 when it did, 1 when the daemon refused, "
            + "2 when the command makes no sense, 3 when no daemon answers or it stops, 130 when interrupted")
    {
        AdminOptions options = new();
        options.AddTo(this);
        foreach (AdminSubcommand command in (AdminSubcommand[])
            [
                new StatusCommand(options), new TopCommand(options), new GuestsCommand(options), new TableCommand(options),
                new StaleCommand(options),
                new InspectCommand(options), new WatchCommand(options), new InvalidateCommand(options), new LogLevelCommand(options),
                new DisconnectCommand(options), new DrainCommand(options), new AddCommand(options), new RemoveCommand(options),
                new ReloadCommand(options), new ConfigurationCommand(options), new DashboardCommand(options),
            ])
        {
            Subcommands.Add(command);
        }
    }
}
