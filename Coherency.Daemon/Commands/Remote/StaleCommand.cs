using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Grpc.Core;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin stale</c>: what guests hold that is no longer true.</summary>
internal sealed class StaleCommand : AdminSubcommand
{
    private static readonly string[] Headings = ["GUEST", "PATH", "KIND", "NODE", "GIVEN", "NOW", "SINCE", "MADE STALE BY"];

    private readonly Option<string?> _guest;
    private readonly Option<string?> _share = new("--share") { Description = "Only entries of this share", HelpName = "DIR" };
    private readonly Option<string?> _path = new("--path")
    {
        Description = "Only entries at or below this path, relative to the share",
        HelpName = "PATH",
    };
    private readonly Option<string[]> _kinds = new("--kind")
    {
        Description = "Only dentry, negative-dentry, attributes, symlink or directory; repeat for more",
        HelpName = "KIND",
    };
    private readonly Option<TimeSpan?> _minimumAge = new("--min-age")
    {
        Description = "Only entries that have been stale for so long, as 500ms, 10s, 5m or 1h",
        HelpName = "TIME",
        CustomParser = TimeText.Parse,
    };
    private readonly Option<bool> _follow = new("--follow") { Description = "Go on with entries as they become stale, until interrupted" };
    private readonly Option<bool> _fail = new("--fail") { Description = "Exit with 4 when there are any" };
    private int _found;

    public StaleCommand(AdminOptions options)
        : base("stale", "What guests hold that is no longer true, since when, and who changed it", options)
    {
        _guest = options.GuestOption("Only entries of this guest");
        _kinds.CompletionSources.Add(EntryKinds.Names);
        foreach (Option option in (Option[])[_guest, _share, _path, _kinds, _minimumAge, _follow, _fail])
        {
            Options.Add(option);
        }
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        ListStaleEntriesRequest request = Read(parsed);
        bool atOnce = output.IsJson || request.Follow;
        List<StaleEntry> all = [];
        using AsyncServerStreamingCall<ListStaleEntriesResponse> call = daemon.ListStaleEntries(request, cancellationToken: cancellation);
        await foreach (
            StaleEntry entry in call.ResponseStream.ReadAllAsync(cancellation).SelectMany(page => page.Entries).ConfigureAwait(false))
        {
            _found++;
            if (atOnce)
            {
                output.Print(entry, one => AdminOutput.PrintLine(string.Join("  ", Describe(one))));
            }
            else
            {
                all.Add(entry);
            }
        }

        if (!atOnce)
        {
            AdminOutput.PrintTable(Headings, all.Select(Describe));
        }

        return Finish(parsed);
    }

    protected override int WhenInterrupted(ParseResult parsed) => parsed.GetValue(_follow) ? Finish(parsed) : ExitCodes.Interrupted;

    private int Finish(ParseResult parsed) => _found > 0 && parsed.GetValue(_fail) ? AdminCommand.FoundStale : ExitCodes.Success;

    private ListStaleEntriesRequest Read(ParseResult parsed)
    {
        ListStaleEntriesRequest request = new()
        {
            Guest = parsed.GetValue(_guest) ?? "",
            Share = parsed.GetValue(_share) ?? "",
            PathPrefix = parsed.GetValue(_path)?.Trim('/') ?? "",
            MinimumAge = parsed.GetValue(_minimumAge) is { } age ? Duration.FromTimeSpan(age) : null,
            Follow = parsed.GetValue(_follow),
        };
        request.Kinds.AddRange((parsed.GetValue(_kinds) ?? []).Select(EntryKinds.Parse));
        return request;
    }

    private static string[] Describe(StaleEntry entry) =>
    [
        entry.Guest, Wording.OfPath(entry.Path), Wording.Of(entry.Kind), Wording.OfNode(entry.NodeId),
        $"{entry.VersionGiven}", $"{entry.VersionNow}", Wording.Of(entry.Since),
        Wording.OfCause(entry.Cause) + (entry.FalseSharing ? " (shares the slot)" : ""),
    ];
}
