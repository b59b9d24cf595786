using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Paths;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Attributes of inodes and of the file system.
public sealed unsafe partial class PassthroughFileSystem
{
    private const FuseSetAttrValid Owner = FuseSetAttrValid.Uid | FuseSetAttrValid.Gid;
    private const FuseSetAttrValid Times =
        FuseSetAttrValid.Atime | FuseSetAttrValid.AtimeNow | FuseSetAttrValid.Mtime | FuseSetAttrValid.MtimeNow;

    /// <summary>It came with Linux 6.6, and takes half the time of a path through /proc.</summary>
    private static volatile bool s_lacksFchmodat2;

    /// <summary>Tells chown(2) to leave an id as it is.</summary>
    private const uint UnchangedId = uint.MaxValue;

    public Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes)
    {
        attributes = default;
        if (handle is { } open && !IsByNode(open))
        {
            using HandleUse use = _handles.Use(open, HandleKind.File);
            return use.IsEmpty ? Errno.EBADF : ReadShownAttributes(use.File.Node, use.File.Fd, out attributes);
        }

        using PinnedInode inode = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(inode);
        return path.Errno == Errno.None ? ReadShownAttributes(inode.Node, path.Fd, out attributes) : path.Errno;
    }

    public Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes)
    {
        attributes = default;
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(inode);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        bool namesHandle = (change.Valid & FuseSetAttrValid.Fh) != 0 && !IsByNode(change.Handle);
        using HandleUse use = namesHandle ? _handles.Use(change.Handle, HandleKind.File) : default;
        if (namesHandle && (use.IsEmpty || use.File.Node != inode.Node))
        {
            return Errno.EBADF;
        }

        Errno errno;
        using (Mutate(ChangeOperation.SetAttr, [TouchedObject.Inode(inode.Key)]))
        {
            errno = Apply(caller, change, inode, path.Fd, use.IsEmpty ? null : use.File);
        }

        if (errno == Errno.None)
        {
            RaiseContent(KindsOf(change.Valid), inode.Node, inode.Key, path.Fd, inode.IsDirectory);
            if ((change.Valid & FuseSetAttrValid.Size) != 0)
            {
                ExpectClose(inode.Node);
            }
        }

        return errno == Errno.None ? ReadShownAttributes(inode.Node, path.Fd, out attributes) : errno;
    }

    /// <param name="open">An open file of the inode that the client named, if any.</param>
    private Errno Apply(in Caller caller, in AttributeChange change, in PinnedInode inode, int pathFd, OpenFile? open)
    {
        Errno errno = Errno.None;
        if ((change.Valid & FuseSetAttrValid.Mode) != 0)
        {
            errno = ChangeMode(pathFd, change.Mode & ModeBits);
        }

        if (errno == Errno.None && (change.Valid & Owner) != 0)
        {
            uint uid = (change.Valid & FuseSetAttrValid.Uid) != 0 ? change.Uid : UnchangedId;
            uint gid = (change.Valid & FuseSetAttrValid.Gid) != 0 ? change.Gid : UnchangedId;
            // The kernel clears set-id bits at a change of owner whoever makes it, but one of them by the caller's group.
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, caller.Uid != 0);
            errno = setId.Errno == Errno.None
                ? Libc.FChownAt(pathFd, EmptyPath.Pointer, uid, gid, OpenFlags.AT_EMPTY_PATH).ToErrno()
                : setId.Errno;
        }

        if (errno == Errno.None && (change.Valid & FuseSetAttrValid.Size) != 0)
        {
            errno = ChangeSize(caller, change, inode, open);
        }

        return errno == Errno.None && (change.Valid & Times) != 0 ? ChangeTimes(pathFd, change) : errno;
    }

    private Errno ChangeSize(in Caller caller, in AttributeChange change, in PinnedInode inode, OpenFile? open)
    {
        using SetIdScope setId = ThreadCredentials.ClearSetId(caller, (change.Valid & FuseSetAttrValid.KillSuidgid) != 0);
        if (setId.Errno != Errno.None)
        {
            return setId.Errno;
        }

        if (open is null)
        {
            return Truncate(inode, change.Size);
        }

        Errno errno = open.Wake();
        return errno == Errno.None ? Libc.FTruncate(open.Fd, change.Size).ToErrno() : errno;
    }

    private static Errno ChangeMode(int pathFd, uint mode)
    {
        if (!s_lacksFchmodat2)
        {
            Errno errno = Libc.FChmodAt2(pathFd, EmptyPath.Pointer, mode, OpenFlags.AT_EMPTY_PATH).ToErrno();
            // A container's filter answers EPERM to a call that it does not know.
            if (errno is not (Errno.ENOSYS or Errno.EPERM))
            {
                return errno;
            }

            s_lacksFchmodat2 = errno == Errno.ENOSYS;
        }

        ProcPath path = new(pathFd);
        return Libc.FChmodAt(OpenFlags.AT_FDCWD, path.Pointer, mode).ToErrno();
    }

    private Errno Truncate(in PinnedInode inode, long size)
    {
        Errno errno = CheckIsFile(inode);
        if (errno != Errno.None)
        {
            return errno;
        }

        if (!_share.Budget.TryTake())
        {
            return Errno.ENFILE;
        }

        int fd = _share.OpenReal(inode, OpenFlags.O_WRONLY | OpenFlags.O_NONBLOCK);
        errno = fd >= 0 ? Libc.FTruncate(fd, size).ToErrno() : fd.ToErrno();
        if (fd >= 0)
        {
            Libc.Close(fd);
        }

        _share.Budget.Return();
        return errno;
    }

    private static Errno ChangeTimes(int pathFd, in AttributeChange change)
    {
        // SAFETY: utimensat(2) takes two times.
        timespec* times = stackalloc timespec[2];
        times[0] = TimeToSet(change.Valid, FuseSetAttrValid.Atime, FuseSetAttrValid.AtimeNow, change.AccessTime);
        times[1] = TimeToSet(change.Valid, FuseSetAttrValid.Mtime, FuseSetAttrValid.MtimeNow, change.ModificationTime);
        return Libc.UTimensAt(pathFd, EmptyPath.Pointer, times, OpenFlags.AT_EMPTY_PATH).ToErrno();
    }

    private static timespec TimeToSet(FuseSetAttrValid valid, FuseSetAttrValid given, FuseSetAttrValid now, timespec time)
    {
        if ((valid & now) != 0)
        {
            return new timespec { tv_nsec = StatFlags.UTIME_NOW };
        }

        return (valid & given) != 0 ? time : new timespec { tv_nsec = StatFlags.UTIME_OMIT };
    }

    public Errno ReadLink(NodeId node, Span<byte> target, out int length)
    {
        length = 0;
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(inode);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        if (inode.FileType != StatFlags.S_IFLNK)
        {
            return Errno.EINVAL;
        }

        // SAFETY: the kernel fills in no more than the length it is told.
        fixed (byte* buffer = target)
        {
            long read = Libc.ReadLinkAt(path.Fd, EmptyPath.Pointer, buffer, (nuint)target.Length);
            length = (int)Math.Max(read, 0);
            return read.ToErrno();
        }
    }

    public Errno GetStatistics(NodeId node, out statfs statistics)
    {
        statistics = default;
        using PinnedInode inode = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(inode);
        return path.Errno == Errno.None ? Libc.FStatFs(path.Fd, out statistics).ToErrno() : path.Errno;
    }

    public Errno SyncFileSystem(NodeId node)
    {
        using PinnedInode inode = Pin(node);
        if (inode.IsEmpty)
        {
            return Errno.ESTALE;
        }

        using PinnedMount mount = _share.Mounts.Pin(inode.Mount);
        return mount.Fd >= 0 ? Libc.SyncFs(mount.Fd).ToErrno() : Errno.EOPNOTSUPP;
    }

    public Errno CheckAccess(in Caller caller, NodeId node, uint mask)
    {
        Errno errno = GetAttributes(node, null, out statx attributes);
        return errno != Errno.None || caller.IsUnknown || IsAllowed(caller, attributes, mask) ? errno : Errno.EACCES;
    }

    /// <summary>By the mode bits, as the kernel reads them; the guest's kernel checks itself where it knows better.</summary>
    private static bool IsAllowed(in Caller caller, in statx attributes, uint mask)
    {
        const uint executable = 1;
        const uint anyExecute = 0x49;
        if (caller.Uid == 0)
        {
            bool executes = (mask & executable) != 0 && (attributes.stx_mode & StatFlags.S_IFMT) != StatFlags.S_IFDIR;
            return !executes || (attributes.stx_mode & anyExecute) != 0;
        }

        bool inGroup = caller.Gid == attributes.stx_gid || caller.SupplementaryGroup == attributes.stx_gid;
        int shift = caller.Uid == attributes.stx_uid ? 6 : inGroup ? 3 : 0;
        uint granted = (uint)attributes.stx_mode >> shift;
        return (mask & 7 & ~granted) == 0;
    }
}
