using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// From a name to an inode. Names can be renamed, removed and reused between two system calls, so an answer is only given
/// when identity and attributes are known to belong to the same inode: never the one of the old and the other of the new.
/// And the attributes are asked for when the table has the inode already: a watcher passes over changes of what it has not.
/// </summary>
/// <param name="usesHandles">The root's mount has handles; mounts that do not are found out one by one.</param>
internal sealed unsafe class InodeResolver(
    InodeTable inodes, MountTable mounts, DescriptorCache cache, DescriptorBudget budget, bool usesHandles)
{
    public const uint AttributesWanted = StatFlags.STATX_BASIC_STATS | StatFlags.STATX_BTIME | StatFlags.STATX_MNT_ID;

    private const int ByName = OpenFlags.AT_SYMLINK_NOFOLLOW | OpenFlags.AT_NO_AUTOMOUNT;
    private const int PathOnly = OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW;

    /// <summary>Finds what a name stands for and references it.</summary>
    public Errno Resolve(int dirFd, byte* name, out statx attributes, out PinnedInode inode) =>
        Resolve(null, dirFd, name, out attributes, out inode);

    /// <summary>
    /// As <see cref="Resolve(int, byte*, out statx, out PinnedInode)"/>; EXDEV, where handles tell it, for what is on another mount.
    /// </summary>
    /// <param name="mount">The directory's, by its index.</param>
    public Errno ResolveIn(ushort mount, int dirFd, byte* name, out statx attributes, out PinnedInode inode) =>
        Resolve(mounts[mount], dirFd, name, out attributes, out inode);

    /// <param name="only">What is on other mounts is not asked for anything; null for all.</param>
    private Errno Resolve(Mount? only, int dirFd, byte* name, out statx attributes, out PinnedInode inode)
    {
        FileIdentity identity = default;
        if (usesHandles)
        {
            int result = identity.ReadHandle(dirFd, name, 0, out int mountId);
            if (result >= 0)
            {
                if (only is not null && only.Id != (ulong)mountId)
                {
                    return Fail(Errno.EXDEV, out attributes, out inode);
                }

                return ResolveHandle(dirFd, name, ref identity, (ulong)mountId, out attributes, out inode);
            }

            if (result is not (-(int)Errno.EOPNOTSUPP or -(int)Errno.EOVERFLOW))
            {
                return Fail(result.ToErrno(), out attributes, out inode);
            }
        }

        return ResolveAttributes(dirFd, name, out attributes, out inode);
    }

    /// <summary>References the inode behind a descriptor that was just opened (and is not O_PATH).</summary>
    public Errno ResolveOpen(int fd, out statx attributes, out PinnedInode inode)
    {
        if (TryReadHandle(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, out FileIdentity identity, out _))
        {
            return AddWithHandle(identity, fd, -1, out attributes, out inode);
        }

        Errno errno = Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, AttributesWanted, out attributes).ToErrno();
        if (errno != Errno.None)
        {
            return Fail(errno, out attributes, out inode);
        }

        errno = mounts.GetOrRegister(fd, attributes, out Mount mount);
        if (errno != Errno.None)
        {
            return Fail(errno, out attributes, out inode);
        }

        int pathFd = mount.UsesHandles ? -1 : OpenPathOf(fd);
        return pathFd < 0 && !mount.UsesHandles
            ? Fail(pathFd.ToErrno(), out attributes, out inode)
            : AddIdentified(mount, fd, pathFd, ref attributes, out inode);
    }

    /// <summary>References the inode of a handle that was given to a client; ESTALE when there is none any more.</summary>
    public Errno ResolveHandle(scoped ref FileIdentity identity, out statx attributes, out PinnedInode inode)
    {
        int fd = OpenByHandle(mounts[identity.Mount], ref identity);
        return fd >= 0 ? AddWithHandle(identity, fd, fd, out attributes, out inode) : Fail(fd.ToErrno(), out attributes, out inode);
    }

    /// <summary>
    /// References the directory that a directory is in. ESTALE when that is not in the shared directory: a program of the host has
    /// moved it away.
    /// </summary>
    public Errno ResolveParent(int directoryFd, int rootFd, out statx attributes, out PinnedInode parent)
    {
        fixed (byte* name = Ancestry.ParentName)
        {
            int fd = Libc.OpenAt(directoryFd, name, PathOnly);
            if (fd < 0)
            {
                return Fail(fd.ToErrno(), out attributes, out parent);
            }

            Errno errno = Ancestry.Check(fd, rootFd);
            if (errno != Errno.None)
            {
                Libc.Close(fd);
                return Fail(errno, out attributes, out parent);
            }

            return ResolveOpenedPath(fd, out attributes, out parent);
        }
    }

    /// <summary>What stands behind a name, before it is removed; nothing when there is nothing, or that cannot be told.</summary>
    public NameTarget Identify(int dirFd, byte* name)
    {
        if (TryReadHandle(dirFd, name, 0, out FileIdentity identity, out Errno errno))
        {
            return Target(identity);
        }

        if (errno == Errno.ENOENT)
        {
            return default;
        }

        if (Libc.Statx(dirFd, name, ByName, AttributesWanted, out statx attributes) < 0
            || !mounts.TryGet(attributes.stx_mnt_id, out Mount? other))
        {
            return default;
        }

        if (!other!.UsesHandles)
        {
            return Target(FileIdentity.FromAttributes(other.Index, attributes));
        }

        // A mount with handles below a root without.
        identity.Mount = other.Index;
        return identity.ReadHandle(dirFd, name, 0, out _) >= 0 ? Target(identity) : default;
    }

    /// <summary>Identifies what a name or, with AT_EMPTY_PATH, a descriptor stands for, if its mount is known and has handles.</summary>
    /// <param name="errno">Of asking for the handle, if that was what failed.</param>
    private bool TryReadHandle(int dirFd, byte* path, int flags, out FileIdentity identity, out Errno errno)
    {
        identity = default;
        errno = Errno.None;
        if (!usesHandles)
        {
            return false;
        }

        errno = identity.ReadHandle(dirFd, path, flags, out int mountId).ToErrno();
        if (errno != Errno.None || !mounts.TryGet((ulong)mountId, out Mount? mount) || !mount!.UsesHandles)
        {
            return false;
        }

        identity.Mount = mount.Index;
        return true;
    }

    private NameTarget Target(scoped in FileIdentity identity) =>
        new() { Inode = inodes.Pin(identity), Exists = true, Key = inodes.KeyOf(identity) };

    private Errno ResolveHandle(
        int dirFd, byte* name, scoped ref FileIdentity identity, ulong mountId, out statx attributes, out PinnedInode inode)
    {
        if (!mounts.TryGet(mountId, out Mount? mount))
        {
            return ResolveDescriptor(dirFd, name, out attributes, out inode);
        }

        if (!mount!.UsesHandles)
        {
            return ResolveAttributes(dirFd, name, out attributes, out inode);
        }

        identity.Mount = mount.Index;
        inode = inodes.Pin(identity);
        if (!inode.IsEmpty)
        {
            // Attributes of the name, if it still stands for the same inode: two calls for a name that is known.
            Errno errno = Libc.Statx(dirFd, name, ByName, AttributesWanted, out attributes).ToErrno();
            if (errno == Errno.None && attributes.stx_mnt_id == mountId && inode.Matches(attributes))
            {
                return Errno.None;
            }

            inode.Dispose();
        }

        return ResolveUnknownHandle(dirFd, name, mount, ref identity, out attributes, out inode);
    }

    /// <summary>Opens what the handle means and asks that for its attributes, whatever the name has come to mean.</summary>
    private Errno ResolveUnknownHandle(
        int dirFd, byte* name, Mount mount, scoped ref FileIdentity identity, out statx attributes, out PinnedInode inode)
    {
        int fd = OpenByHandle(mount, ref identity);
        if (fd < 0)
        {
            // It is gone; the name may be too, or have become another's.
            return ResolveDescriptor(dirFd, name, out attributes, out inode);
        }

        return AddWithHandle(identity, fd, fd, out attributes, out inode);
    }

    private Errno ResolveAttributes(int dirFd, byte* name, out statx attributes, out PinnedInode inode)
    {
        Errno errno = Libc.Statx(dirFd, name, ByName, AttributesWanted, out attributes).ToErrno();
        if (errno != Errno.None)
        {
            return Fail(errno, out attributes, out inode);
        }

        if (mounts.TryGet(attributes.stx_mnt_id, out Mount? mount) && !mount!.UsesHandles)
        {
            // Identity and attributes come from the same call.
            inode = inodes.Pin(FileIdentity.FromAttributes(mount.Index, attributes));
            if (!inode.IsEmpty)
            {
                inode.Describe(attributes);
                return Errno.None;
            }
        }

        return ResolveDescriptor(dirFd, name, out attributes, out inode);
    }

    /// <summary>The long way, right in every case: opens the name and asks the descriptor for all the rest.</summary>
    private Errno ResolveDescriptor(int dirFd, byte* name, out statx attributes, out PinnedInode inode)
    {
        int fd = Libc.OpenAt(dirFd, name, PathOnly);
        return fd >= 0 ? ResolveOpenedPath(fd, out attributes, out inode) : Fail(fd.ToErrno(), out attributes, out inode);
    }

    /// <param name="fd">An O_PATH descriptor, which this owns.</param>
    private Errno ResolveOpenedPath(int fd, out statx attributes, out PinnedInode inode)
    {
        Errno errno = Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, AttributesWanted, out attributes).ToErrno();
        Mount mount = null!;
        if (errno == Errno.None)
        {
            errno = mounts.GetOrRegister(fd, attributes, out mount);
        }

        if (errno != Errno.None)
        {
            Libc.Close(fd);
            return Fail(errno, out attributes, out inode);
        }

        return AddIdentified(mount, fd, fd, ref attributes, out inode);
    }

    /// <summary>Adds an inode whose attributes came from <paramref name="fd"/>; owns <paramref name="pathFd"/> (or -1).</summary>
    private Errno AddIdentified(Mount mount, int fd, int pathFd, scoped ref statx attributes, out PinnedInode inode)
    {
        if (!mount.UsesHandles)
        {
            return AddWithDescriptor(mount, attributes, pathFd, out inode);
        }

        FileIdentity identity = new() { Mount = mount.Index };
        int result = identity.ReadHandle(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, out _);
        if (result < 0)
        {
            CloseIfOpen(pathFd);
            return Fail(result.ToErrno(), out _, out inode);
        }

        return AddWithHandle(identity, fd, pathFd, out attributes, out inode);
    }

    /// <summary>Adds an inode found by handle, and asks <paramref name="fd"/> for its attributes; keeps its descriptor for later.</summary>
    /// <param name="pathFd">The descriptor to keep, which this owns, or -1.</param>
    private Errno AddWithHandle(scoped in FileIdentity identity, int fd, int pathFd, out statx attributes, out PinnedInode inode)
    {
        int none = -1;
        inode = inodes.PinOrAdd(identity, ref none);
        Errno errno = Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, AttributesWanted, out attributes).ToErrno();
        if (errno != Errno.None)
        {
            inode.Dispose();
            CloseIfOpen(pathFd);
            return Fail(errno, out attributes, out inode);
        }

        inode.Describe(attributes);
        if (pathFd >= 0)
        {
            cache.InsertPinned(inode.Node, pathFd, inode.Mount != 0, out int place);
            if (place < 0)
            {
                Libc.Close(pathFd);
            }
            else
            {
                cache.Unpin(place);
            }
        }

        return Errno.None;
    }

    /// <summary>Adds an inode that has no handle: its record owns the descriptor, which the budget must allow.</summary>
    private Errno AddWithDescriptor(Mount mount, scoped in statx attributes, int pathFd, out PinnedInode inode)
    {
        FileIdentity identity = FileIdentity.FromAttributes(mount.Index, attributes);
        bool budgeted = budget.TryTake();
        int owned = budgeted ? pathFd : -1;
        inode = budgeted ? inodes.PinOrAdd(identity, ref owned) : inodes.Pin(identity);
        if (!budgeted || owned >= 0)
        {
            // Not needed: it was known already, or may not be added.
            Libc.Close(pathFd);
            budget.Return(budgeted ? 1 : 0);
        }

        if (inode.IsEmpty)
        {
            return Errno.ENFILE;
        }

        inode.Describe(attributes);
        return Errno.None;
    }

    private int OpenByHandle(Mount mount, scoped ref FileIdentity identity)
    {
        using PinnedMount opened = mounts.Pin(mount.Index);
        if (opened.Fd < 0)
        {
            return opened.Fd;
        }

        // SAFETY: handle_bytes is at most what the struct has (FileIdentity.Bytes).
        fixed (file_handle* handle = &identity.Handle)
        {
            return Libc.OpenByHandleAt(opened.Fd, handle, PathOnly);
        }
    }

    private static int OpenPathOf(int fd)
    {
        ProcPath path = new(fd);
        return Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, OpenFlags.O_PATH);
    }

    private static Errno Fail(Errno errno, out statx attributes, out PinnedInode inode)
    {
        attributes = default;
        inode = default;
        return errno;
    }

    private static void CloseIfOpen(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
        }
    }
}
