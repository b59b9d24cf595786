using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using AdminBase = Coherency.Daemon.Grpc.Services.Admin.AdminBase;

namespace Coherency.Daemon.Admin.Services;

/// <summary>Answers what protos/coherency/admin/v1/admin.proto asks; a file for each group of methods.</summary>
internal sealed partial class AdminService(DaemonReports reports, LogLevels levels, Uri? dashboard) : AdminBase
{
    private readonly GuestServer _server = reports.Server;

    /// <exception cref="RpcException">There is no such guest.</exception>
    private ServedGuest GuestOf(string name)
    {
        if (name.Length == 0)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"say which guest: {Names(_server.Guests.Select(guest => guest.Name))}"));
        }

        return _server.Guests.FirstOrDefault(guest => guest.Name == name)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"there is no guest {name}, but {Names(_server.Guests.Select(guest => guest.Name))}"));
    }

    /// <summary>The share of a directory, as it was given or as a whole path; of an empty one the only share.</summary>
    /// <exception cref="RpcException">There is no such share, or not only one.</exception>
    private ServedShare ShareOf(string directory)
    {
        if (directory.Length == 0)
        {
            return _server.ServedShares is [ServedShare only]
                ? only
                : throw new RpcException(new Status(StatusCode.InvalidArgument, $"say which share: {Names(Directories)}"));
        }

        return _server.ServedShares.FirstOrDefault(share => share.Directory == directory)
            ?? _server.ServedShares.FirstOrDefault(share => IsSamePath(share.Directory, directory))
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"there is no share {directory}, but {Names(Directories)}"));
    }

    private IEnumerable<string> Directories => _server.ServedShares.Select(share => share.Directory);

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
