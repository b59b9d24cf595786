using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin disconnect</c>: ends the connection of a guest's VMM.</summary>
internal sealed class DisconnectCommand : AdminSubcommand
{
    private readonly Argument<string> _guest;

    public DisconnectCommand(AdminOptions options)
        : base("disconnect", "End the connection of a guest's VMM at once; it may connect again", options)
    {
        _guest = options.GuestArgument();
        Arguments.Add(_guest);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        DisconnectGuestRequest request = new() { Guest = parsed.GetRequiredValue(_guest) };
        output.Print(
            await daemon.DisconnectGuestAsync(request, Within(cancellation)).ConfigureAwait(false),
            response => AdminOutput.PrintLine(response.WasConnected ? "disconnected" : "nobody was connected"));
        return ExitCodes.Success;
    }
}
