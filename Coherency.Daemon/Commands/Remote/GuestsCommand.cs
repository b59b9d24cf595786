using System.CommandLine;
using System.Globalization;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin guests</c>: each guest, and how it is.</summary>
internal sealed class GuestsCommand : AdminSubcommand
{
    private readonly Option<string?> _share = new("--share") { Description = "Only guests of this share", HelpName = "DIR" };
    private readonly Option<bool> _stale = new("--stale") { Description = "Count stale entries too, which looks at all that guests hold" };

    public GuestsCommand(AdminOptions options)
        : base("guests", "Each guest and mount: state, requests, what it holds", options)
    {
        Options.Add(_share);
        Options.Add(_stale);
    }

    /// <summary>For people.</summary>
    public static void Print(ListGuestsResponse response) => AdminOutput.PrintTable(
        ["GUEST", "STATE", "COHERENT", "FUSE", "QUEUES", "REQUESTS", "HITS", "MALFORMED", "INODES", "OPEN", "HELD", "STALE", "CONNECTED"],
        response.Guests.Select(guest => (string[])
        [
            guest.Name, Wording.Of(guest.State), Wording.Of(guest.Coherent), guest.FuseVersion.Length == 0 ? "-" : guest.FuseVersion,
            Wording.Of(guest.Queues), Wording.Of(guest.Requests), guest.HasHitRatio
                ? guest.HitRatio.ToString("P1", CultureInfo.InvariantCulture)
                : "-", Wording.Of(guest.MalformedRequests), Wording.Of(guest.Inodes),
            Wording.Of(guest.OpenFiles), Wording.Of(guest.HeldEntries),
            guest.HasStaleEntries ? Wording.Of(guest.StaleEntries) : "-", Wording.Of(guest.ConnectedAt),
        ]));

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        ListGuestsRequest request = new() { Share = parsed.GetValue(_share) ?? "", CountStale = parsed.GetValue(_stale) };
        ListGuestsResponse response = await daemon.ListGuestsAsync(request, Within(cancellation)).ConfigureAwait(false);
        output.Print(response, Print);
        return ExitCodes.Success;
    }
}
