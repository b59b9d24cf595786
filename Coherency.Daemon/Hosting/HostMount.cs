using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Host.Server;
using Coherency.Host.Transports.FuseDevice;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Mounts a share on the host.</summary>
internal static class HostMount
{
    /// <param name="view">Keeps the mount coherent with the share's other clients; null when it has none.</param>
    /// <exception cref="UsageException">Not with these rights, or not there.</exception>
    public static FuseDeviceServer Start(
        string source, string mountPoint, FuseSession session, int threads, ILogger log, MountView? view = null)
    {
        try
        {
            return new FuseDeviceServer(source, Path.GetFullPath(mountPoint), StatFlags.S_IFDIR, session, threads, log, view);
        }
        catch (LinuxException refused) when (refused.Errno == Errno.EPERM)
        {
            throw new UsageException(
                $"{refused.Message}: run as root, or in a user namespace of your own: unshare --user --map-root-user --mount coherencyd " +
                "...");
        }
    }
}
