using Coherency.Host.Coherence;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Hosting;

/// <summary>How a session gets at a share.</summary>
internal static class ShareAccess
{
    public static IFileSystem Open(PassthroughShare share, bool isReadOnly, ShareView? view = null) =>
        Restrict(share.OpenSession(view), isReadOnly);

    public static IFileSystem Restrict(IFileSystem files, bool isReadOnly) => isReadOnly ? new ReadOnlyFileSystem(files) : files;
}
