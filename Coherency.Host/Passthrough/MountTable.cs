using System.Collections.Concurrent;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>A mount of the host that the share contains.</summary>
/// <param name="Index">Small number that stands for the mount in identities.</param>
/// <param name="Id">As /proc/self/mountinfo shows it; not reused while <paramref name="Fd"/> holds the mount.</param>
/// <param name="Fd">A real (not O_PATH) descriptor on it, for open_by_handle_at(2) and syncfs(2); -1 if there is none.</param>
/// <param name="IsLocal">Closing a file reports nothing, and positions in a directory mean the same to every descriptor.</param>
/// <param name="FileSystemId">Goes into inode keys: f_fsid, or the device number where that is 0.</param>
internal sealed record Mount(ushort Index, ulong Id, int Fd, ulong FileSystemId, bool UsesHandles, bool IsLocal);

/// <summary>
/// The mounts of a share, each registered when the first of its inodes is found. They stay until the share is closed: the
/// descriptor keeps the mount from going away, as open files do. Reading takes no lock; registering does.
/// </summary>
internal sealed unsafe class MountTable(InodeFileHandles handles) : IDisposable
{
    /// <summary>An <see cref="InodeRecord"/> has no room for higher indexes.</summary>
    public const int MountsMax = InodeRecord.MountMask + 1;

    private readonly Lock _registering = new();
    private readonly ConcurrentDictionary<ulong, Mount> _byId = new();
    private volatile Mount[] _byIndex = [];
    private IShareWatch? _watch;

    public Mount this[ushort index] => _byIndex[index];

    public bool TryGet(ulong mountId, out Mount? mount) => _byId.TryGetValue(mountId, out mount);

    /// <summary>Tells of the mounts that are there, and from now on of each new one before it can be found.</summary>
    public void SetWatch(IShareWatch? watch)
    {
        lock (_registering)
        {
            _watch = watch;
            foreach (Mount mount in _byIndex)
            {
                watch?.AddMount(mount);
            }
        }
    }

    /// <summary>Finds the mount of an inode, registering it if it is new.</summary>
    /// <param name="pathFd">The inode: the first one of its mount is the mount's root, since names are walked one by one.</param>
    public Errno GetOrRegister(int pathFd, in statx attributes, out Mount mount)
    {
        if (TryGet(attributes.stx_mnt_id, out Mount? known))
        {
            mount = known!;
            return Errno.None;
        }

        lock (_registering)
        {
            return TryGet(attributes.stx_mnt_id, out mount!) ? Errno.None : Register(pathFd, attributes, out mount);
        }
    }

    private Errno Register(int pathFd, in statx attributes, out Mount mount)
    {
        mount = null!;
        int fd = OpenMount(pathFd, attributes.stx_mode & StatFlags.S_IFMT);
        bool usesHandles = handles != InodeFileHandles.Never && fd >= 0 && HandlesWork(pathFd, fd);
        if ((!usesHandles && handles == InodeFileHandles.Mandatory) || _byIndex.Length == MountsMax)
        {
            CloseIfOpen(fd);
            return Errno.EOPNOTSUPP;
        }

        statfs statistics = ReadStatistics(pathFd, attributes);
        bool isLocal = LocalFileSystems.Contain(statistics.f_type);
        mount = new Mount((ushort)_byIndex.Length, attributes.stx_mnt_id, fd, statistics.f_fsid, usesHandles, isLocal);
        _watch?.AddMount(mount);
        // The index first: whoever finds the mount by its id may use the index at once.
        _byIndex = [.. _byIndex, mount];
        _byId[mount.Id] = mount;
        return Errno.None;
    }

    private static int OpenMount(int pathFd, uint type)
    {
        // A device node or fifo that is bind-mounted is never opened.
        if (type is not (StatFlags.S_IFDIR or StatFlags.S_IFREG))
        {
            return -1;
        }

        ProcPath path = new(pathFd);
        return Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY);
    }

    /// <summary>Tries it: whether handles work depends on the file system, on capabilities and on the user namespace.</summary>
    private static bool HandlesWork(int pathFd, int mountFd)
    {
        FileIdentity identity = new();
        if (identity.ReadHandle(pathFd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, out _) < 0)
        {
            return false;
        }

        int fd = Libc.OpenByHandleAt(mountFd, &identity.Handle, OpenFlags.O_PATH);
        CloseIfOpen(fd);
        return fd >= 0;
    }

    /// <summary>With the device number for f_fsid where there is none.</summary>
    private static statfs ReadStatistics(int pathFd, in statx attributes)
    {
        if (Libc.FStatFs(pathFd, out statfs statistics) < 0)
        {
            statistics = default;
        }

        if (statistics.f_fsid == 0)
        {
            statistics.f_fsid = ((ulong)attributes.stx_dev_major << 32) | attributes.stx_dev_minor;
        }

        return statistics;
    }

    private static void CloseIfOpen(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
        }
    }

    public void Dispose()
    {
        foreach (Mount mount in _byIndex)
        {
            CloseIfOpen(mount.Fd);
        }
    }
}
