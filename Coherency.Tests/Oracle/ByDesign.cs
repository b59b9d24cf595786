using System.Globalization;
using Coherency.Core.Linux;

namespace Coherency.Tests.Oracle;

/// <summary>A call, and when its burst began and ended.</summary>
internal readonly record struct TimedCall(Call Call, (long StartNs, long EndNs) Burst);

/// <summary>An answer, or one field of it, that differs, with all that a rule may ask about it.</summary>
/// <param name="GuestKernel">Linux' version in the guests.</param>
/// <param name="FileSystem">What the share lies on.</param>
/// <param name="IsListingUnderWay">It goes on with a listing, and a name was changed since that was begun.</param>
/// <param name="Successes">Of its schedule, until then.</param>
internal sealed record Finding(
    Call Call,
    Client Client,
    Version GuestKernel,
    string FileSystem,
    bool IsListingUnderWay,
    IReadOnlyList<TimedCall> Successes,
    FieldDifference Difference)
{
    public string Field => Difference.Name;

    public string Expected => Difference.Expected;

    public string Got => Difference.Got;

    /// <summary>True for a time that such a call may have set.</summary>
    public bool IsTimeOf(string time, Func<Call, bool> isSuch) =>
        Successes.Any(success => isSuch(success.Call) && ResultComparer.IsWithin(success.Burst, time));
}

/// <summary>
/// What of a share differs from one local file system by design. Whatever is not here fails; nothing is here because it is not yet
/// mended.
/// </summary>
internal static class ByDesign
{
    private static readonly (string Reason, Func<Finding, bool> Applies)[] Rules =
    [
        ("a lease would be broken by openers of this kernel only, so it is refused",
            finding => finding.Call.Name == "lease" && finding.Got == "EINVAL"),
        ("a lease of a host program counts those of its kernel that have the file open: the daemon, and no guest",
            finding => finding.Call.Name == "lease" && finding.Client == Client.Host),
        ("a call that fails for two reasons may say either: who makes a name need not ask first whether it is there",
            finding => finding.Call.Name is "link" or "linkfd" or "mknod" && finding is { Expected: "EEXIST", Got: "EPERM" or "ENOENT" }
                && finding.Client is Client.First or Client.Second),
        ("how much of preallocated room counts as data around what was written or read is up to the host's page cache",
            finding => IsQuestionForHoles(finding.Call) && finding.Successes.Any(success => success.Call.Name == "fallocate")),
        ("a listing that is under way may or may not show what has changed since it was begun, as readdir(3) says",
            finding => finding.IsListingUnderWay),
        ("getcwd may show the old name of what another client has renamed, or removed",
            finding => finding.Call.Name == "getcwd"),
        ("a program is kept from being changed, and what is changed from being run, in one kernel only",
            finding => finding.Call.Name == "exec" && finding.Expected == "ETXTBSY"),
        ("access times are not coherent, and reading on behalf of a client is an access",
            finding => finding.Field == "atime"),
        ("where ext4 finds room decides how many blocks the map of a file takes",
            finding => finding.Field == "blocks" && Math.Abs(BlocksOf(finding.Expected) - BlocksOf(finding.Got)) <= MapBlocksMax),
        ("the guest in this process does not ask for the time of a file's making",
            finding => finding.Field == "btime" && finding.Client == Client.UserSpace),
        ("Linux before 6.6 does not ask a server for the time of a file's making",
            finding => finding.Field == "btime" && finding.Client is not (Client.Mount or Client.Host)
                && finding.GuestKernel < AsksForBirthTimes),
        ("a caller counts as a member of its primary group alone when a file has only the set-group-id bit",
            finding => HasLostSetGroupId(finding) && IsOrWasWithoutGroupExecution(finding)),
        ("Linux before 6.3 does not tell a server in which other groups the maker of a set-group-id file is",
            finding => HasLostSetGroupId(finding) && finding.GuestKernel < TellsGroups
                && (ModeOf(finding.Expected) & StatFlags.S_IFMT) != StatFlags.S_IFDIR),
        ("chown of neither owner nor group, of which a server is not told, sets no time of change",
            finding => finding.Field == "ctime" && finding.IsTimeOf(finding.Expected, IsEmptyChown)),
        ("chown of neither owner nor group, of which a server is not told, is not refused where set-id bits would have to go",
            finding => IsEmptyChown(finding.Call) && finding is { Expected: "EPERM", Got: "0" }),
        ("chown of neither owner nor group, of which a server is not told, clears no set-id bits",
            finding => finding.Field == "mode" && HasOnlyKeptSetIds(finding) && finding.Successes.Any(
                success => IsEmptyChown(success.Call))),
        ("XFS sets no times at truncate of an empty file to nothing, which a server cannot tell from open with O_TRUNC, where it does",
            finding => finding.FileSystem == "xfs" && finding.Field is "mtime" or "ctime"
                && finding.IsTimeOf(finding.Got, IsTruncationToNothing)),
    ];

    private const uint GroupExecutes = 0x8;

    private const uint SetIds = StatFlags.S_ISUID | StatFlags.S_ISGID;

    private static readonly Version AsksForBirthTimes = new(6, 6);

    private static readonly Version TellsGroups = new(6, 3);

    /// <summary>In units of 512 bytes: two of the file system's blocks.</summary>
    private const long MapBlocksMax = 2 * 1024 / 512;

    public static string? ReasonFor(Finding finding) => Rules.FirstOrDefault(rule => rule.Applies(finding)).Reason;

    private static bool IsEmptyChown(Call call) => call.Name == "chown" && call.Text.Contains(" -1 -1 ", StringComparison.Ordinal);

    private static bool IsTruncationToNothing(Call call) => call.Name == "truncate" && call.Text.EndsWith(" 0", StringComparison.Ordinal);

    private static bool IsQuestionForHoles(Call call) => call.Name == "lseek" && call.Text.Split(' ')[^1] is "data" or "hole";

    /// <summary>An access list changes the group's rights and leaves the set-group-id bit alone.</summary>
    private static bool IsOrWasWithoutGroupExecution(Finding finding) =>
        (ModeOf(finding.Expected) & StatFlags.S_IFMT) == StatFlags.S_IFREG
        && ((ModeOf(finding.Expected) & GroupExecutes) == 0 || finding.Successes.Any(success => success.Call.Name == "setacl"));

    private static bool HasLostSetGroupId(Finding finding) =>
        finding.Field == "mode" && ModeOf(finding.Expected) == (ModeOf(finding.Got) | StatFlags.S_ISGID);

    private static bool HasOnlyKeptSetIds(Finding finding) =>
        (ModeOf(finding.Got) & ~ModeOf(finding.Expected) & ~SetIds) == 0 && (ModeOf(finding.Expected) & ~ModeOf(finding.Got)) == 0;

    private static uint ModeOf(string octal) => Convert.ToUInt32(octal, 8);

    private static long BlocksOf(string count) => long.Parse(count, CultureInfo.InvariantCulture);
}
