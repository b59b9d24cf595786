using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Opening files and moving data.
public sealed unsafe partial class PassthroughFileSystem
{
    /// <summary>Most vectors that one preadv2 or pwritev2 takes (UIO_MAXIOV).</summary>
    private const int VectorsMax = 1024;

    /// <summary>What a name may change between two system calls before CREATE gives up.</summary>
    private const int CreateAttemptsMax = 8;

    /// <summary>What of a guest's open flags means something for an inode that is found already.</summary>
    private const int KeptOpenFlags =
        OpenFlags.O_ACCMODE | OpenFlags.O_TRUNC | OpenFlags.O_APPEND | OpenFlags.O_SYNC | OpenFlags.O_NOATIME;

    public Errno Open(NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        return _withoutOpens ? Errno.ENOSYS : OpenNode(node, flags, killSuidGid, out handle);
    }

    private Errno OpenNode(NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        PinnedInode inode = Pin(node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        if (errno == Errno.None)
        {
            errno = OpenInode(ref inode, HostFlags(flags), killSuidGid, out handle);
        }

        inode.Dispose();
        return errno;
    }

    /// <summary>Only regular files are opened: a device node would reach the host's hardware, a fifo would block.</summary>
    private static Errno CheckIsFile(in PinnedInode inode) => inode.FileType switch
    {
        StatFlags.S_IFREG => Errno.None,
        StatFlags.S_IFDIR => Errno.EISDIR,
        StatFlags.S_IFLNK => Errno.ELOOP,
        _ => Errno.ENXIO,
    };

    private Errno OpenInode(ref PinnedInode inode, int hostFlags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        Errno errno = _handles.Reserve();
        if (errno != Errno.None)
        {
            return errno;
        }

        int fd;
        bool truncates = (hostFlags & OpenFlags.O_TRUNC) != 0;
        using (truncates ? Mutate(ChangeOperation.Open, [TouchedObject.Inode(inode.Key)]) : default)
        {
            using SuidKillScope kill = ThreadCredentials.KillSuidGid(killSuidGid && truncates);
            fd = _share.OpenReal(inode, hostFlags);
        }

        if (fd < 0)
        {
            _handles.CancelReservation();
            return fd.ToErrno();
        }

        handle = _handles.Add(fd, HandleKind.File, ref inode);
        return Errno.None;
    }

    private int HostFlags(int flags)
    {
        int kept = flags & KeptOpenFlags;
        if (_share.Options.AllowDirectIo)
        {
            kept |= flags & OpenFlags.O_DIRECT;
        }

        if (_share.Options.Writeback)
        {
            // The client fills pages before it writes part of them, and appends at offsets of its own.
            kept &= ~OpenFlags.O_APPEND;
            kept = (kept & OpenFlags.O_ACCMODE) == OpenFlags.O_WRONLY ? (kept & ~OpenFlags.O_ACCMODE) | OpenFlags.O_RDWR : kept;
        }

        // Regular files never block; were it something else after all, opening it would not either.
        return kept | OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY;
    }

    public Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        // Made and found are two steps, so that a symlink or device put under the name meanwhile is never opened.
        Errno errno = Errno.EEXIST;
        for (int attempt = 0; attempt < CreateAttemptsMax; attempt++)
        {
            errno = CreateNew(caller, directory, path.Fd, name, flags, mode, out entry, out handle);
            if (errno != Errno.EEXIST || (flags & OpenFlags.O_EXCL) != 0)
            {
                return errno;
            }

            errno = OpenExisting(directory, path.Fd, name, flags, killSuidGid, out entry, out handle);
            if (errno != Errno.ENOENT)
            {
                return errno;
            }
        }

        return errno;
    }

    private Errno CreateNew(
        in Caller caller, in PinnedInode directory, int directoryFd, EntryName name, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        TouchedObject entryName = TouchedObject.NameIn(directory.Key, name);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(entryName.Slot);
        using MutationScope scope = Mutate(ChangeOperation.Create, [entryName, TouchedObject.Inode(directory.Key)]);
        int openFlags = (HostFlags(flags) & ~OpenFlags.O_TRUNC) | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOFOLLOW;
        return OpenNew(caller, directory, directoryFd, name.Pointer, openFlags, mode, out entry, out handle);
    }

    public Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        ReadOnlySpan<byte> self = ".\0"u8;
        fixed (byte* pointer = self)
        {
            // Without O_EXCL, which would mean that it may never be given a name.
            int openFlags = (HostFlags(flags) & ~OpenFlags.O_TRUNC) | OpenFlags.O_TMPFILE;
            return OpenNew(caller, directory, path.Fd, pointer, openFlags, mode, out entry, out handle);
        }
    }

    private Errno OpenNew(
        in Caller caller, in PinnedInode directory, int directoryFd, byte* name, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        Errno errno = _handles.Reserve();
        if (errno != Errno.None)
        {
            return errno;
        }

        int fd;
        using (CredentialScope credentials = ThreadCredentials.Assume(caller))
        {
            fd = credentials.Errno == Errno.None ? Libc.OpenAt(directoryFd, name, flags, mode & ModeBits) : -(int)credentials.Errno;
        }

        errno = fd >= 0 ? GrantOpened(directory, fd, isTemporary: (flags & OpenFlags.O_TMPFILE) == OpenFlags.O_TMPFILE, out entry, out handle) : fd.ToErrno();
        if (errno != Errno.None)
        {
            _handles.CancelReservation();
        }

        return errno;
    }

    private Errno GrantOpened(in PinnedInode directory, int fd, bool isTemporary, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        Errno errno = _share.Resolver.ResolveOpen(fd, out statx attributes, out PinnedInode inode);
        if (errno != Errno.None)
        {
            Libc.Close(fd);
            return errno;
        }

        if (isTemporary)
        {
            _share.KeepUsable(inode);
        }

        if (_withoutOpens)
        {
            return GrantClosed(directory, fd, attributes, ref inode, isTemporary, out entry);
        }

        // Before the reference is given away: the guest may forget the inode before it has the reply.
        PinnedInode opened = _share.Inodes.Pin(inode.Node);
        entry = Grant(ref inode, attributes, directory.Mount);
        inode.Dispose();
        handle = _handles.Add(fd, HandleKind.File, ref opened);
        return Errno.None;
    }

    /// <summary>For a client that will not name the open file.</summary>
    private Errno GrantClosed(
        in PinnedInode directory, int fd, in statx attributes, ref PinnedInode inode, bool isTemporary, out Entry entry)
    {
        // Without a name, nothing would be left of it.
        bool isLost = isTemporary && inode.OwnFd < 0;
        entry = isLost ? default : Grant(ref inode, attributes, directory.Mount);
        inode.Dispose();
        Libc.Close(fd);
        if (isLost)
        {
            return Errno.ENFILE;
        }

        _handles.CancelReservation();
        return Errno.None;
    }

    private Errno OpenExisting(
        in PinnedInode directory, int directoryFd, EntryName name, int flags, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        handle = default;
        Errno errno = LookUpIn(directory, directoryFd, name, out entry);
        if (errno != Errno.None)
        {
            return errno;
        }

        errno = OpenNode(entry.Node, flags, killSuidGid, out handle);
        if (errno == Errno.None && (flags & OpenFlags.O_TRUNC) != 0)
        {
            errno = GetAttributes(entry.Node, handle, out entry.Attributes);
        }

        if (_withoutOpens && errno == Errno.None)
        {
            _handles.Close(handle, HandleKind.File);
            handle = default;
        }

        if (errno != Errno.None)
        {
            Forget(entry.Node, 1);
        }

        return errno;
    }

    public Errno Read(FileTarget file, IoVec* vectors, int count, long offset, out long bytes)
    {
        bytes = 0;
        using FileUse use = UseForReading(file);
        if (use.Errno != Errno.None || offset < 0)
        {
            // To preadv2 and pwritev2, -1 is no error but the descriptor's own position.
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        while (count > 0)
        {
            int part = Math.Min(count, VectorsMax);
            long read = Libc.PReadV2(use.Fd, vectors, part, offset + bytes, 0);
            if (!Advance(read, TotalLength(vectors, part), ref bytes))
            {
                // What was moved before an error is an answer; the error shows when it is asked for the rest.
                return bytes > 0 ? Errno.None : read.ToErrno();
            }

            vectors += part;
            count -= part;
        }

        return Errno.None;
    }

    public Errno Write(FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, int openFlags, out long bytes)
    {
        bytes = 0;
        using FileUse use = UseForWriting(file, openFlags);
        if (use.Errno != Errno.None || offset < 0)
        {
            // To preadv2 and pwritev2, -1 is no error but the descriptor's own position.
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        NoteWritten(use);
        using MutationScope scope = Mutate(ChangeOperation.Write, [TouchedObject.Inode(use.InodeKey)]);
        using SuidKillScope kill = ThreadCredentials.KillSuidGid((flags & FuseWriteFlags.KillSuidgid) != 0);
        while (count > 0)
        {
            int part = Math.Min(count, VectorsMax);
            long written = Libc.PWriteV2(use.Fd, vectors, part, offset + bytes, 0);
            if (!Advance(written, TotalLength(vectors, part), ref bytes))
            {
                return CheckClosed(use, bytes > 0 ? Errno.None : written.ToErrno());
            }

            vectors += part;
            count -= part;
        }

        return CheckClosed(use, Errno.None);
    }

    private static void NoteWritten(in FileUse file)
    {
        if (file.Opened is { } opened)
        {
            opened.WasWritten = true;
        }
    }

    /// <summary>Adds what a call moved; false when it was less than asked for, so that the next would not follow on it.</summary>
    private static bool Advance(long moved, long asked, ref long bytes)
    {
        bytes += Math.Max(moved, 0);
        return moved == asked;
    }

    private static long TotalLength(IoVec* vectors, int count)
    {
        long total = 0;
        for (int i = 0; i < count; i++)
        {
            total += (long)vectors[i].Length;
        }

        return total;
    }

    public Errno Flush(FileTarget file, ulong lockOwner)
    {
        if (IsByNode(file))
        {
            _locks.Drop(file.Node.Value, lockOwner);
            return Errno.None;
        }

        using HandleUse use = _handles.Use(file.Handle, HandleKind.File);
        if (use.IsEmpty)
        {
            return Errno.EBADF;
        }

        _locks.Drop(use.File.Node, lockOwner);
        return use.File.WasWritten ? CloseDuplicate(use.File.Fd) : Errno.None;
    }

    /// <summary>Closing is when network file systems and quotas report what went wrong with earlier writes.</summary>
    private static Errno CloseDuplicate(int fd)
    {
        int duplicate = Libc.Dup(fd);
        return duplicate >= 0 ? Libc.Close(duplicate).ToErrno() : duplicate.ToErrno();
    }

    public Errno Release(FileTarget file, FuseReleaseFlags flags, ulong lockOwner)
    {
        if (IsByNode(file))
        {
            return ReleaseByNode(file.Node, flags, lockOwner);
        }

        using (HandleUse use = _handles.Use(file.Handle, HandleKind.File))
        {
            if (!use.IsEmpty && (flags & FuseReleaseFlags.Flush) != 0)
            {
                _locks.Drop(use.File.Node, lockOwner);
            }

            if (!use.IsEmpty && use.File.HasLocks)
            {
                _locks.DropThrough(use.File);
            }
        }

        // A flock(2) lock belongs to the descriptor, and goes with it.
        return _handles.Close(file.Handle, HandleKind.File) ? Errno.None : Errno.EBADF;
    }

    public Errno Sync(FileTarget file, bool dataOnly)
    {
        using FileUse use = UseForReading(file);
        return Sync(use, dataOnly);
    }

    private static Errno Sync(in FileUse file, bool dataOnly)
    {
        if (file.Errno != Errno.None)
        {
            return file.Errno;
        }

        return (dataOnly ? Libc.FDataSync(file.Fd) : Libc.Fsync(file.Fd)).ToErrno();
    }

    public Errno Allocate(FileTarget file, int mode, long offset, long length)
    {
        using FileUse use = UseForWriting(file, 0);
        if (use.Errno != Errno.None)
        {
            return use.Errno;
        }

        NoteWritten(use);
        using MutationScope scope = Mutate(ChangeOperation.Fallocate, [TouchedObject.Inode(use.InodeKey)]);
        return CheckClosed(use, Libc.Fallocate(use.Fd, mode, offset, length).ToErrno());
    }

    public Errno Seek(FileTarget file, long offset, int whence, out long position)
    {
        const int seekData = 3;
        const int seekHole = 4;
        position = 0;
        using FileUse use = UseForReading(file);
        if (use.Errno != Errno.None || whence is not (seekData or seekHole))
        {
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        position = Libc.LSeek(use.Fd, offset, whence);
        return position.ToErrno();
    }

    public Errno CopyRange(FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
    {
        copied = 0;
        using FileUse from = UseForReading(source);
        using FileUse to = UseForWriting(target, 0);
        if (from.Errno != Errno.None || to.Errno != Errno.None)
        {
            return from.Errno != Errno.None ? from.Errno : to.Errno;
        }

        NoteWritten(to);
        using MutationScope scope = Mutate(ChangeOperation.CopyFileRange, [TouchedObject.Inode(to.InodeKey)]);
        nuint most = (nuint)Math.Min(length, int.MaxValue & ~0xFFFUL);
        copied = Libc.CopyFileRange(from.Fd, &sourceOffset, to.Fd, &targetOffset, most, 0);
        return CheckClosed(to, copied.ToErrno());
    }
}
