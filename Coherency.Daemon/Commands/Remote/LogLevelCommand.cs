using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Microsoft.Extensions.Logging;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin log-level</c>: says more or less in the daemon's log.</summary>
internal sealed class LogLevelCommand : AdminSubcommand
{
    private readonly Argument<LogLevel> _level = new("LEVEL") { Description = "Least severe message that is logged" };
    private readonly Option<string?> _category = new("--category")
    {
        Description = "Only of this logger and those below it, as coherencyd.vm1",
        HelpName = "NAME",
    };

    public LogLevelCommand(AdminOptions options)
        : base("log-level", "Change what the daemon logs, until it ends", options)
    {
        Arguments.Add(_level);
        Options.Add(_category);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        SetLogLevelRequest request = new()
        {
            Level = Wording.Of(parsed.GetRequiredValue(_level)),
            Category = parsed.GetValue(_category) ?? "",
        };
        output.Print(
            await daemon.SetLogLevelAsync(request, Within(cancellation)).ConfigureAwait(false),
            response => AdminOutput.PrintLine($"{request.Level}, was {response.PreviousLevel}"));
        return ExitCodes.Success;
    }
}
