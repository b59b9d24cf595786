using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using Google.Protobuf.Collections;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin reload</c>: has a running daemon read its configuration again.</summary>
internal sealed class ReloadCommand(AdminOptions options)
    : AdminSubcommand("reload", "Read the configuration again: add the guests that are new in it, remove those that are gone", options)
{
    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        output.Print(
            await daemon.ReloadAsync(new ReloadRequest(), cancellationToken: cancellation).ConfigureAwait(false),
            response => AdminOutput.PrintLine($"added: {NamesOf(response.Added)}; removed: {NamesOf(response.Removed)}"));
        return ExitCodes.Success;
    }

    private static string NamesOf(RepeatedField<string> guests) => guests.Count == 0 ? "none" : string.Join(", ", guests);
}
