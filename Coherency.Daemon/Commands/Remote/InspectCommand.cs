using System.CommandLine;
using System.Globalization;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin inspect</c>: everything that is known of one file or directory.</summary>
internal sealed class InspectCommand : AdminSubcommand
{
    private readonly Argument<string?> _path = new("PATH") { Description = "Relative to the share", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string?> _node = new("--node")
    {
        Description = "Its node id instead of a path, in hexadecimal as other commands print it",
        HelpName = "ID",
    };
    private readonly Option<string?> _share = new("--share") { Description = "The share, where there are several", HelpName = "DIR" };

    public InspectCommand(AdminOptions options)
        : base("inspect", "Everything that is known of one file or directory: its slots, who holds it, its last changes", options)
    {
        Arguments.Add(_path);
        Options.Add(_node);
        Options.Add(_share);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        InspectRequest request = new() { Share = parsed.GetValue(_share) ?? "" };
        switch (parsed.GetValue(_path), parsed.GetValue(_node))
        {
            case (string path, null):
                request.Path = path.Trim('/');
                break;
            case (null, string node):
                request.NodeId = ulong.TryParse(node, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong id)
                    ? id
                    : throw new UsageException($"--node {node}: hexadecimal digits are right");
                break;
            default:
                throw new UsageException("give PATH or --node ID");
        }

        InspectResponse response = await daemon.InspectAsync(request, Within(cancellation)).ConfigureAwait(false);
        output.Print(response, Print);
        return ExitCodes.Success;
    }

    private static void Print(InspectResponse found)
    {
        AdminOutput.PrintValues(("path", Wording.OfPath(found.Path)), ("node", Wording.OfNode(found.NodeId)));
        Console.Out.WriteLine();
        AdminOutput.PrintTable(
            ["SLOT OF", "KEY", "INDEX"],
            found.Slots.Select(slot => (string[])[slot.OfName ? "name" : "inode", Wording.OfNode(slot.Key), $"{slot.Index}"]));
        Console.Out.WriteLine();
        AdminOutput.PrintTable(
            ["HELD BY", "KIND", "GIVEN", "NOW", "STALE", "LOOKUPS"],
            found.Holders.Select(holder => (string[])
            [
                holder.Guest, Wording.Of(holder.Kind), $"{holder.VersionGiven}", $"{holder.VersionNow}", Wording.Of(holder.Stale),
                Wording.Of(holder.Lookups),
            ]));
        Console.Out.WriteLine();
        AdminOutput.PrintTable(
            ["CHANGED AT", "BY", "PATH"],
            found.Changes.Select(change => (string[])[Wording.Of(change.At), Wording.OfCause(change), change.Path]));
    }
}
