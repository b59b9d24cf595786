using System.Text;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;

namespace Coherency.Host.Coherence.HostWatching;

/// <summary>
/// Notices what is mounted and unmounted below a directory. It covers and uncovers files without changing any of them, so no event
/// of a file system tells; poll(2) on /proc/self/mountinfo does (proc(5)).
/// </summary>
internal sealed unsafe class MountWatch : IDisposable
{
    private readonly PassthroughShare _share;
    private HashSet<(ulong Id, string MountPoint)> _mounts;

    public MountWatch(PassthroughShare share)
    {
        _share = share;
        fixed (byte* path = Encoding.ASCII.GetBytes(MountInfo.File + '\0'))
        {
            Fd = Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_RDONLY);
        }

        LinuxException.Check(Fd, "opening " + MountInfo.File);
        // After it was opened: from then on it tells of changes.
        _mounts = ReadMounts();
    }

    /// <summary>Has <see cref="EventFlags.POLLPRI"/> when something was mounted or unmounted anywhere.</summary>
    public int Fd { get; }

    /// <summary>Has anything below the directory come, gone or moved since the last time?</summary>
    public bool TakeChange()
    {
        HashSet<(ulong Id, string MountPoint)> before = _mounts;
        _mounts = ReadMounts();
        return !_mounts.SetEquals(before);
    }

    public void Dispose() => Libc.Close(Fd);

    private HashSet<(ulong Id, string MountPoint)> ReadMounts()
    {
        // Where it is now: the host may have renamed it.
        string directory = _share.CurrentPath;
        return [.. MountInfo.ReadAll()
            .Where(mount => mount.MountPoint != directory && MountInfo.IsWithin(mount.MountPoint, directory))
            .Select(mount => (mount.Id, mount.MountPoint))];
    }
}
