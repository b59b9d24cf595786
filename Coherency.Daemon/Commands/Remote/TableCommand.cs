using System.CommandLine;
using System.Globalization;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin table</c>: the version table of a guest.</summary>
internal sealed class TableCommand : AdminSubcommand
{
    private readonly Argument<string> _guest;
    private readonly Option<uint> _heat = new("--heat")
    {
        Description = "With --json: versions summed up over each of so many runs of slots",
        HelpName = "N",
    };

    public TableCommand(AdminOptions options)
        : base("table", "The version table of a guest: how full it is and how fast it moves", options)
    {
        _guest = options.GuestArgument();
        Arguments.Add(_guest);
        Options.Add(_heat);
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        GetTableRequest request = new() { Guest = parsed.GetRequiredValue(_guest), HeatBuckets = parsed.GetValue(_heat) };
        GetTableResponse response = await daemon.GetTableAsync(request, Within(cancellation)).ConfigureAwait(false);
        output.Print(response, Print);
        return ExitCodes.Success;
    }

    private static void Print(GetTableResponse table) => AdminOutput.PrintValues(
        ("path", table.Path),
        ("slots", Wording.Of(table.Slots)),
        ("occupied", $"{Wording.Of(table.OccupiedSlots)} by {Wording.Of(table.HeldEntries)} entries"),
        ("moves", $"{Wording.Of(table.Moves)}, now {Wording.OfRate(table.MovesPerSecond)}/s"),
        ("expected false sharing", $"{Wording.OfRate(table.ExpectedFalseStalePerSecond)}/s"),
        ("slots in change", Wording.Of(table.SlotsInChange)),
        ("epoch", table.Epoch.ToString(CultureInfo.InvariantCulture)),
        (
            "heartbeat",
            $"{(table.HeartbeatAge is null ? "never" : Wording.Of(table.HeartbeatAge) + " ago")}, at most " +
            $"{Wording.Of(table.HeartbeatBound)}"));
}
