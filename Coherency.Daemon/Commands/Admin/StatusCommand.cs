using System.CommandLine;
using System.Text.Json.Nodes;
using Coherency.Admin.V1;
using Coherency.Daemon.Grpc.Client;
using AdminMethods = Coherency.Daemon.Grpc.Services.Admin;

namespace Coherency.Daemon.Commands.Admin;

/// <summary><c>coherencyd admin status</c>: shares and guests at a glance.</summary>
internal sealed class StatusCommand(AdminOptions options) : AdminSubcommand("status", "Shares and guests at a glance", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, GrpcChannel daemon, AdminOutput output, CancellationToken cancellation)
    {
        ListSharesResponse shares = await daemon.CallAsync(AdminMethods.ListShares, new ListSharesRequest(), Patience, cancellation).ConfigureAwait(false);
        ListGuestsResponse guests = await daemon.CallAsync(AdminMethods.ListGuests, new ListGuestsRequest(), Patience, cancellation).ConfigureAwait(false);
        if (output.IsJson)
        {
            JsonNode both = JsonNode.Parse(AdminOutput.ToJson(shares))!;
            both["guests"] = JsonNode.Parse(AdminOutput.ToJson(guests))!["guests"]!.DeepClone();
            Console.Out.WriteLine(both.ToJsonString());
            return CommandLine.Success;
        }

        PrintShares(shares);
        Console.Out.WriteLine();
        GuestsCommand.Print(guests);
        return CommandLine.Success;
    }

    private static void PrintShares(ListSharesResponse response) => AdminOutput.PrintTable(
        ["SHARE", "TAG", "CACHE", "HOST WATCH", "READ-ONLY", "GUESTS", "INODES", "DESCRIPTORS"],
        response.Shares.Select(share => (string[])
        [
            share.Directory, share.Tag, Wording.Of(share.Cache), Wording.Of(share.HostWatch), Wording.Of(share.Readonly),
            string.Join(' ', share.Guests), Wording.Of(share.Inodes), Wording.Of(share.Descriptors),
        ]));
}
