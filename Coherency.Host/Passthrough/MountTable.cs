using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The mounts of a share, each registered when the first of its inodes is found. The root's stays open until the share is
/// closed. Reading takes no lock; registering does.
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

    /// <summary>Those that are there now.</summary>
    public IReadOnlyList<Mount> All => _byIndex;

    public bool TryGet(ulong mountId, out Mount? mount) => _byId.TryGetValue(mountId, out mount);

    /// <summary>A descriptor on a mount, opened again if it was let go; none when the mount is gone.</summary>
    public PinnedMount Pin(ushort index)
    {
        Mount mount = _byIndex[index];
        if (index == 0)
        {
            return PinnedMount.Kept(mount);
        }

        if (mount.TryPin())
        {
            return PinnedMount.Of(mount);
        }

        lock (_registering)
        {
            return (!mount.IsLetGo || TryOpenAgain(mount)) && mount.TryPin() ? PinnedMount.Of(mount) : PinnedMount.Failed;
        }
    }

    /// <summary>
    /// Closes the descriptors of submounts that nobody needed since the last time that this was called; true if there were any.
    /// </summary>
    public bool LetUnusedGo()
    {
        List<int> unneeded = [];
        lock (_registering)
        {
            foreach (Mount mount in _byIndex.Skip(1))
            {
                int fd = mount.TakeIfUnused();
                if (fd >= 0)
                {
                    // Before it is closed: the host may give the number to another mount then.
                    _byId.TryRemove(mount.Id, out _);
                    unneeded.Add(fd);
                }
            }
        }

        unneeded.ForEach(fd => Libc.Close(fd));
        return unneeded.Count > 0;
    }

    /// <summary>Tells of the mounts that are there, and from now on of each new one before it can be found.</summary>
    public void SetWatch(IShareWatch? watch)
    {
        lock (_registering)
        {
            _watch = watch;
            foreach (Mount mount in _byIndex.Where(mount => !mount.IsLetGo))
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
        statfs statistics = ReadStatistics(pathFd, attributes);
        if (fd >= 0 && FindLetGo(attributes.stx_mnt_id, statistics.f_fsid) is { } known)
        {
            mount = known;
            Open(mount, attributes.stx_mnt_id, fd);
            return Errno.None;
        }

        FileIdentity first = new();
        bool usesHandles = handles != InodeFileHandles.Never && fd >= 0 && FileSystemTraits.KeepHandles(statistics.f_type)
            && HandlesWork(pathFd, fd, ref first);
        if ((!usesHandles && handles == InodeFileHandles.Mandatory) || _byIndex.Length == MountsMax)
        {
            CloseIfOpen(fd);
            return Errno.EOPNOTSUPP;
        }

        mount = new Mount
        {
            Index = (ushort)_byIndex.Length,
            FileSystemId = statistics.f_fsid,
            Device = InodeNumbers.DeviceOf(attributes),
            UsesHandles = usesHandles,
            IsLocal = FileSystemTraits.AreLocal(statistics.f_type),
            Scope = ScopeOf(statistics.f_fsid, first),
            Names = NameRules.OfFileSystem(statistics.f_type, fd),
        };
        // The index first: whoever finds the mount by its id may use the index at once.
        Mount[] all = [.. _byIndex, mount];
        Open(mount, attributes.stx_mnt_id, fd, all);
        return Errno.None;
    }

    /// <summary>
    /// A mount of the same file system that was let go: the same one, or that which has taken its place. By its index clients know
    /// the inodes that they still hold.
    /// </summary>
    private Mount? FindLetGo(ulong id, ulong fileSystemId) =>
        _byIndex.Where(mount => mount.IsLetGo && mount.FileSystemId == fileSystemId).OrderBy(
            mount => mount.Id == id ? 0 : 1).FirstOrDefault();

    /// <param name="all">The mounts with this one, if it is new.</param>
    private void Open(Mount mount, ulong id, int fd, Mount[]? all = null)
    {
        mount.Open(id, fd);
        // Again, too: with the last mount of a file system went what watched it.
        _watch?.AddMount(mount);
        _byIndex = all ?? _byIndex;
        _byId[id] = mount;
    }

    /// <summary>By the path that the host shows it at; what is there now may be another mount.</summary>
    private bool TryOpenAgain(Mount mount)
    {
        string? path = MountInfo.ReadAll().FirstOrDefault(line => line.Id == mount.Id)?.MountPoint;
        if (path is null)
        {
            return false;
        }

        int pathFd;
        fixed (byte* bytes = Encoding.Latin1.GetBytes(path + '\0'))
        {
            pathFd = Libc.OpenAt(OpenFlags.AT_FDCWD, bytes, OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW);
        }

        if (pathFd < 0)
        {
            return false;
        }

        bool isSame =
            Libc.Statx(pathFd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out statx attributes) >= 0
            && attributes.stx_mnt_id == mount.Id
            && ReadStatistics(pathFd, attributes).f_fsid == mount.FileSystemId;
        int fd = isSame ? OpenMount(pathFd, attributes.stx_mode & StatFlags.S_IFMT) : -1;
        Libc.Close(pathFd);
        if (fd >= 0)
        {
            Open(mount, mount.Id, fd);
        }

        return fd >= 0;
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
    /// <param name="identity">Gets the handle of <paramref name="pathFd"/>.</param>
    private static bool HandlesWork(int pathFd, int mountFd, ref FileIdentity identity)
    {
        if (identity.ReadHandle(pathFd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, out _) < 0)
        {
            return false;
        }

        // SAFETY: as InodeResolver.OpenByHandle.
        fixed (file_handle* handle = &identity.Handle)
        {
            int fd = Libc.OpenByHandleAt(mountFd, handle, OpenFlags.O_PATH);
            CloseIfOpen(fd);
            return fd >= 0;
        }
    }

    /// <param name="first">Its first inode, which is its root, or the shared directory.</param>
    private static byte[] ScopeOf(ulong fileSystemId, in FileIdentity first)
    {
        byte[] scope = new byte[sizeof(ulong) + 2 + first.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(scope, fileSystemId);
        scope[sizeof(ulong)] = (byte)first.Length;
        scope[sizeof(ulong) + 1] = (byte)first.Type;
        first.Bytes.CopyTo(scope.AsSpan(sizeof(ulong) + 2));
        return scope;
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
            statistics.f_fsid = InodeNumbers.DeviceOf(attributes);
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
