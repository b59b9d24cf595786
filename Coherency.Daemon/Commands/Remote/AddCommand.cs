using System.CommandLine;
using System.Text.Json;
using Coherency.Admin.V1;
using Coherency.Daemon.Commands.Sharing;
using Coherency.Daemon.Configuration;
using Google.Protobuf.WellKnownTypes;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin add</c>: has a running daemon serve more guests.</summary>
internal sealed class AddCommand : AdminSubcommand
{
    private readonly GuestShareOptions _share = new();
    private readonly Option<bool> _persistent = new("--persistent")
    {
        Description = "The daemon serves them again after it was restarted, until they are removed ('coherencyd admin remove')",
    };

    public AddCommand(AdminOptions options)
        : base("add", "Serve more guests, of a directory that is shared already or of another one, by the options of 'serve'", options)
    {
        _share.AddTo(this);
        Options.Add(_persistent);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        ShareConfiguration share = WithWholePaths(_share.Read(parsed));
        ConfigurationFile.Check(new ServeConfiguration { Shares = [share] });
        AddGuestsRequest request = new()
        {
            Persistent = parsed.GetValue(_persistent),
            Share = Struct.Parser.ParseJson(JsonSerializer.Serialize(share, ConfigurationJson.Default.ShareConfiguration)),
        };
        output.Print(
            await daemon.AddGuestsAsync(request, Within(cancellation)).ConfigureAwait(false),
            response =>
            {
                foreach (string line in response.Guests.SelectMany(guest => guest.Instructions))
                {
                    AdminOutput.PrintLine(line);
                }
            });
        return ExitCodes.Success;
    }

    /// <summary>The daemon works in another directory.</summary>
    private static ShareConfiguration WithWholePaths(ShareConfiguration share) => share with
    {
        SharedDir = Path.GetFullPath(share.SharedDir),
        TableDir = share.TableDir is { } tables ? Path.GetFullPath(tables) : null,
        HandleKey = share.HandleKey is { } key ? Path.GetFullPath(key) : null,
        Guests = [.. share.Guests.Select(guest => guest with { Socket = Path.GetFullPath(guest.Socket) })],
    };
}
