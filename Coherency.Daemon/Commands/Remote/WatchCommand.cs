using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Grpc.Core;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin watch</c>: changes as they happen.</summary>
internal sealed class WatchCommand : AdminSubcommand
{
    private readonly Option<string?> _share = new("--share") { Description = "Only changes in this share", HelpName = "DIR" };
    private readonly Option<string?> _guest;
    private readonly Option<string?> _path = new("--path")
    {
        Description = "Only changes at or below this path, relative to the share",
        HelpName = "PATH",
    };

    public WatchCommand(AdminOptions options)
        : base("watch", "Changes as they happen, of guests and of the host, until interrupted", options)
    {
        _guest = options.GuestOption("Only changes by this guest");
        foreach (Option option in (Option[])[_share, _guest, _path])
        {
            Options.Add(option);
        }
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        WatchChangesRequest request = new()
        {
            Share = parsed.GetValue(_share) ?? "",
            Guest = parsed.GetValue(_guest) ?? "",
            PathPrefix = parsed.GetValue(_path)?.Trim('/') ?? "",
        };
        using AsyncServerStreamingCall<WatchChangesResponse> call = daemon.WatchChanges(request, cancellationToken: cancellation);
        await foreach (WatchChangesResponse response in call.ResponseStream.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            output.Print(response, Print);
        }

        return ExitCodes.Success;
    }

    protected override int WhenInterrupted(ParseResult parsed) => ExitCodes.Success;

    private static void Print(WatchChangesResponse response)
    {
        if (response.Dropped > 0)
        {
            AdminOutput.PrintLine($"({Wording.Of(response.Dropped)} changes came too fast to be shown)");
        }

        foreach (Change change in response.Changes)
        {
            AdminOutput.PrintLine(
                $"{Wording.Of(change.Cause?.At)}  {Wording.OfCause(change.Cause)}  {Wording.OfPath(change.Cause?.Path ?? "")}");
        }
    }
}
