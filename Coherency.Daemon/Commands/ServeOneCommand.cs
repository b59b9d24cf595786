using System.CommandLine;
using System.Runtime.InteropServices;
using Coherency.Core.Attaching;
using Coherency.Daemon.Attaching;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Commands;

/// <summary><c>coherencyd serve-one</c>: serves the guest of the keeper that started it. Nobody else has a use for it.</summary>
internal sealed class ServeOneCommand : Command
{
    private readonly Option<int> _channel = new("--channel")
    {
        Description = "The descriptor of the conversation with the keeper",
        Required = true,
    };
    private readonly Option<LogLevel> _level = new("--log-level") { Description = "Least severe message that is sent to the keeper" };

    public ServeOneCommand()
        : base("serve-one", "Serve the guest of the keeper that started it")
    {
        Hidden = true;
        Options.Add(_channel);
        Options.Add(_level);
        SetAction(parsed => Run(parsed.GetValue(_channel), parsed.GetValue(_level)));
    }

    private static int Run(int fd, LogLevel level)
    {
        // A manager's signals go to the whole group: the keeper decides, and this process ends when it does.
        using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
        using PosixSignalRegistration interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using PosixSignalRegistration hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);
        using AttachChannel channel = new(fd);
        using LoggerFactory loggers = new([new KeeperLogProvider(channel, level)], new LoggerFilterOptions { MinLevel = LogLevel.Trace });
        ServeConfiguration none = new() { Shares = [], Admin = new AdminConfiguration { Enabled = false } };
        using GuestServer server = new(none, loggers);
        KeeperConversation.Hold(channel, server, tables: null);
        return ExitCodes.Success;
    }
}
