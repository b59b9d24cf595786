using System.CommandLine;
using System.Text.Json.Nodes;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Reports;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin status</c>: shares and guests at a glance.</summary>
internal sealed class StatusCommand(AdminOptions options) : AdminSubcommand("status", "Shares and guests at a glance", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        ListSharesResponse shares = await daemon.ListSharesAsync(new ListSharesRequest(), Within(cancellation)).ConfigureAwait(false);
        ListGuestsResponse guests = await daemon.ListGuestsAsync(new ListGuestsRequest(), Within(cancellation)).ConfigureAwait(false);
        if (output.IsJson)
        {
            JsonNode both = JsonNode.Parse(MessageJson.Format(shares))!;
            both["guests"] = JsonNode.Parse(MessageJson.Format(guests))!["guests"]!.DeepClone();
            Console.Out.WriteLine(both.ToJsonString());
            return ExitCodes.Success;
        }

        PrintShares(shares);
        Console.Out.WriteLine();
        GuestsCommand.Print(guests);
        return ExitCodes.Success;
    }

    private static void PrintShares(ListSharesResponse response) => AdminOutput.PrintTable(
        ["SHARE", "TAG", "CACHE", "HOST WATCH", "READ-ONLY", "GUESTS", "INODES", "DESCRIPTORS"],
        response.Shares.Select(share => (string[])
        [
            share.Directory, share.Tag, Wording.Of(share.Cache), Wording.Of(share.HostWatch), Wording.Of(share.Readonly),
            string.Join(' ', share.Guests), Wording.Of(share.Inodes), Wording.Of(share.Descriptors),
        ]));
}
