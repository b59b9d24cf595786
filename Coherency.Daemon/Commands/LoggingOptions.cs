using System.CommandLine;
using Coherency.Daemon.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Commands;

/// <summary>What is logged and how.</summary>
internal sealed class LoggingOptions
{
    private readonly Option<LogLevel> _level = new("--log-level")
    {
        Description = "Least severe message that is logged",
        DefaultValueFactory = _ => LogLevel.Information,
    };

    private readonly Option<LogFormat> _format = new("--log-format")
    {
        Description = "A line of text or of JSON for each message, or journal lines for systemd",
        DefaultValueFactory = _ => LogFormat.Text,
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_level);
        command.Options.Add(_format);
    }

    public LogSettings Read(ParseResult parsed) => new(parsed.GetValue(_level), parsed.GetValue(_format));
}
