using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>Names that metrics and traces share, by the conventions of OpenTelemetry.</summary>
internal static class TelemetryNames
{
    /// <summary>Of the meter and of the activity source.</summary>
    public const string Source = "Coherency.Daemon";

    public const string Guest = "coherency.guest";
    public const string Share = "coherency.share";

    /// <summary>Who made a change: a guest's name, or <see cref="Host"/>.</summary>
    public const string Actor = "coherency.actor";

    public const string Operation = "fuse.operation";
    public const string Error = "error.type";

    /// <summary>The programs of the host, as an actor; no guest's name has a colon.</summary>
    public const string Host = "host:";

    /// <summary>What the conventions say for an error without a name.</summary>
    private const string OtherError = "_OTHER";

    private static readonly string[] Operations = [.. Enumerable.Range(0, FuseOpcodes.Count).Select(opcode => Spell((FuseOpcode)opcode))];

    private static readonly Dictionary<Errno, string> Errors = Enum.GetValues<Errno>().ToDictionary(
        error => error, error => error.ToString());

    /// <summary>As the kernel's header has it, without <c>FUSE_</c>.</summary>
    public static string OperationOf(FuseOpcode opcode) => Operations[(int)opcode];

    public static string ErrorOf(Errno error) => error == Errno.None ? OtherError : Errors.GetValueOrDefault(error, OtherError);

    private static string Spell(FuseOpcode opcode) => opcode switch
    {
        FuseOpcode.BatchForget => "BATCH_FORGET",
        FuseOpcode.NotifyReply => "NOTIFY_REPLY",
        FuseOpcode.CopyFileRange => "COPY_FILE_RANGE",
        FuseOpcode.CopyFileRange64 => "COPY_FILE_RANGE_64",
        _ => opcode.ToString().ToUpperInvariant(),
    };
}
