using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin remove</c>: has a running daemon serve a guest no more.</summary>
internal sealed class RemoveCommand : AdminSubcommand
{
    private readonly Argument<string> _guest;

    public RemoveCommand(AdminOptions options)
        : base("remove", "Serve a guest no more: end its session at once, remove its socket and table ('drain' it first to have it end in "
            + "order)", options)
    {
        _guest = options.GuestArgument();
        Arguments.Add(_guest);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        RemoveGuestRequest request = new() { Guest = parsed.GetRequiredValue(_guest) };
        // As long as the slowest request takes.
        output.Print(
            await daemon.RemoveGuestAsync(request, cancellationToken: cancellation).ConfigureAwait(false),
            _ => AdminOutput.PrintLine("removed"));
        return ExitCodes.Success;
    }
}
