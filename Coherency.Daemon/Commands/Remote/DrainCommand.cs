using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin drain</c>: lets a guest end in order, and keeps it out until it is resumed.</summary>
internal sealed class DrainCommand : AdminSubcommand
{
    private readonly Argument<string> _guest;
    private readonly Option<bool> _resume = new("--resume") { Description = "Let the guest in again" };

    public DrainCommand(AdminOptions options)
        : base("drain", "Take no more requests of a guest, answer those under way, disconnect it, and keep it out", options)
    {
        _guest = options.GuestArgument();
        Arguments.Add(_guest);
        Options.Add(_resume);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        DrainGuestRequest request = new() { Guest = parsed.GetRequiredValue(_guest), Resume = parsed.GetValue(_resume) };
        // As long as the slowest request takes.
        output.Print(
            await daemon.DrainGuestAsync(request, cancellationToken: cancellation).ConfigureAwait(false),
            response => AdminOutput.PrintLine(
                request.Resume ? "resumed" : $"drained: {Wording.Of(response.RequestsAnswered)} requests were answered meanwhile"));
        return ExitCodes.Success;
    }
}
