using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Grpc.Client;
using AdminMethods = Coherency.Daemon.Grpc.Services.Admin;

namespace Coherency.Daemon.Commands.Admin;

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

    protected override async Task<int> RunAsync(ParseResult parsed, GrpcChannel daemon, AdminOutput output, CancellationToken cancellation)
    {
        DisconnectGuestRequest request = new() { Guest = parsed.GetRequiredValue(_guest) };
        output.Print(
            await daemon.CallAsync(AdminMethods.DisconnectGuest, request, Patience, cancellation).ConfigureAwait(false),
            response => AdminOutput.PrintLine(response.WasConnected ? "disconnected" : "nobody was connected"));
        return CommandLine.Success;
    }
}
