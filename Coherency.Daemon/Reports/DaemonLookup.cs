using Coherency.Daemon.Hosting;
using Grpc.Core;

namespace Coherency.Daemon.Reports;

/// <summary>Finds what a request names, or refuses it by an <see cref="RpcException"/> that says what there is.</summary>
internal sealed class DaemonLookup(DaemonReports reports)
{
    private readonly GuestServer _server = reports.Server;

    private IEnumerable<string> Directories => _server.ServedShares.Select(share => share.Directory);

    public ServedGuest GuestOf(string name)
    {
        if (name.Length == 0)
        {
            throw Refuse(StatusCode.InvalidArgument, $"say which guest: {Names(_server.Guests.Select(guest => guest.Name))}");
        }

        return _server.Guests.FirstOrDefault(guest => guest.Name == name)
            ?? throw Refuse(StatusCode.NotFound, $"there is no guest {name}, but {Names(_server.Guests.Select(guest => guest.Name))}");
    }

    /// <summary>A guest of which it is recorded what it holds.</summary>
    public ServedGuest RecordedGuestOf(string name)
    {
        ServedGuest guest = GuestOf(name);
        if (guest.Mount is not null)
        {
            throw Refuse(
                StatusCode.FailedPrecondition,
                $"{guest.Name} is a mount of the host: its kernel is told of every change before whoever made it goes on, "
                + "so nothing it holds is stale");
        }

        RequireHoldings();
        return guest;
    }

    /// <summary>The share of a directory, as it was given or as a whole path; of an empty one the only share.</summary>
    public ServedShare ShareOf(string directory)
    {
        if (directory.Length == 0)
        {
            return _server.ServedShares is [ServedShare only]
                ? only
                : throw Refuse(StatusCode.InvalidArgument, $"say which share: {Names(Directories)}");
        }

        return _server.ServedShares.FirstOrDefault(share => share.Directory == directory)
            ?? _server.ServedShares.FirstOrDefault(share => IsSamePath(share.Directory, directory))
            ?? throw Refuse(StatusCode.NotFound, $"there is no share {directory}, but {Names(Directories)}");
    }

    public void RequireHoldings()
    {
        if (reports.Holdings.Guests.Count == 0)
        {
            throw Refuse(
                StatusCode.FailedPrecondition, "the daemon was told not to record what guests hold: start it without --no-holdings");
        }
    }

    public static RpcException Refuse(StatusCode code, string why) => new(new Status(code, why));

    private static bool IsSamePath(string one, string other) =>
        Path.IsPathRooted(other)
        && Path.TrimEndingDirectorySeparator(Path.GetFullPath(one)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(other));

    private static string Names(IEnumerable<string> names)
    {
        const int NamesMax = 8;
        string[] all = [.. names];
        return string.Join(", ", all.Take(NamesMax)) + (all.Length > NamesMax ? $" and {all.Length - NamesMax} more" : "");
    }
}
