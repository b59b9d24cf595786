using Coherency.Host.Coherence;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Hosting;

/// <summary>How a session gets at a share.</summary>
internal static class ShareAccess
{
    public static IFileSystem Open(PassthroughShare share, bool isReadOnly, ShareView? view = null)
    {
        IFileSystem files = share.OpenSession(view);
        return isReadOnly ? new ReadOnlyFileSystem(files) : files;
    }
}
