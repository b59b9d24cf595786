using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Opening files and moving data.
public sealed unsafe partial class PassthroughFileSystem
{
    /// <summary>Most vectors that one preadv2 or pwritev2 takes (UIO_MAXIOV).</summary>
    private const int VectorsMax = 1024;

    /// <summary>
    /// Most bytes of one copy: who attaches waits for changes under way, and programs go on where a copy was short, as
    /// copy_file_range(2) has it.
    /// </summary>
    private const ulong CopyBytesMax = 64 << 20;

    /// <summary>What a name may change between two system calls before CREATE gives up.</summary>
    private const int CreateAttemptsMax = 8;

    /// <summary>What of a guest's open flags means something for an inode that is found already.</summary>
    private const int KeptOpenFlags =
        OpenFlags.O_ACCMODE | OpenFlags.O_TRUNC | OpenFlags.O_APPEND | OpenFlags.O_SYNC | OpenFlags.O_NOATIME;

    /// <summary>What an open file is opened again with.</summary>
    private const int LastingOpenFlags =
        (KeptOpenFlags & ~OpenFlags.O_TRUNC) | OpenFlags.O_DIRECT | OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY;

    private const int NotForNewFiles = OpenFlags.O_TRUNC | OpenFlags.O_APPEND;

    /// <summary>What a client may change while it has the file open, and only a descriptor can have, not a single request.</summary>
    private const int DescriptorFlags = OpenFlags.O_DIRECT | OpenFlags.O_NOATIME;

    public Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        return _withoutOpens ? Errno.ENOSYS : OpenNode(caller, node, flags, killSuidGid, out handle);
    }

    private Errno OpenNode(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        PinnedInode inode = Pin(node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        if (errno == Errno.None)
        {
            errno = OpenInode(caller, ref inode, HostFlags(flags), killSuidGid, out handle);
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

    private Errno OpenInode(in Caller caller, ref PinnedInode inode, int hostFlags, bool killSuidGid, out FileHandle handle)
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
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, killSuidGid && truncates);
            fd = setId.Errno == Errno.None ? _share.OpenReal(inode, hostFlags) : -(int)setId.Errno;
        }

        if (truncates && fd >= 0)
        {
            RaiseContent(FileEventKinds.Modify, inode.Node, inode.Key, fd);
        }

        if (fd < 0)
        {
            _handles.CancelReservation();
            return fd.ToErrno();
        }

        handle = _handles.Add(fd, HandleKind.File, ref inode, hostFlags & LastingOpenFlags);
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
            // The client fills pages before it writes part of them.
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

            errno = OpenExisting(caller, directory, path.Fd, name, flags, killSuidGid, out entry, out handle);
            if (errno != Errno.ENOENT)
            {
                return errno;
            }
        }

        return errno;
    }

    private Errno CreateNew(
        in Caller caller, in PinnedInode directory, int directoryFd, EntryName name, int flags, uint mode, out Entry entry,
        out FileHandle handle)
    {
        TouchedObject entryName = TouchedObject.NameIn(directory.Key, name);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(LockOf(directory, entryName));
        int openFlags = (HostFlags(flags) & ~NotForNewFiles) | OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOFOLLOW;
        bool isMade;
        Errno errno;
        using (Mutate(ChangeOperation.Create, [entryName, TouchedObject.Inode(directory.Key)]))
        {
            errno = OpenNew(caller, directory, directoryFd, name.Pointer, openFlags, mode, out entry, out handle, out isMade);
        }

        // Also when the client cannot be given what was made.
        if (isMade)
        {
            RaiseName(FileEventKinds.Create, directory, name, 0, isDirectory: false);
            if (errno == Errno.None && (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY)
            {
                ExpectClose(entry.Node.Value);
            }
        }

        return errno;
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
            int openFlags = (HostFlags(flags) & ~NotForNewFiles) | OpenFlags.O_TMPFILE;
            return OpenNew(caller, directory, path.Fd, pointer, openFlags, mode, out entry, out handle, out _);
        }
    }

    private Errno OpenNew(
        in Caller caller, in PinnedInode directory, int directoryFd, byte* name, int flags, uint mode, out Entry entry,
        out FileHandle handle, out bool isMade)
    {
        entry = default;
        handle = default;
        isMade = false;
        Errno errno = _handles.Reserve();
        if (errno != Errno.None)
        {
            return errno;
        }

        int fd;
        using (CredentialScope credentials = ThreadCredentials.Assume(caller))
        {
            uint allowed = ThreadCredentials.ModeFor(caller, directoryFd, mode & ModeBits);
            fd = credentials.Errno == Errno.None ? Libc.OpenAt(directoryFd, name, flags, allowed) : -(int)credentials.Errno;
        }

        if (fd >= 0 && caller.Labels is { } labels)
        {
            bool isTemporary = (flags & OpenFlags.O_TMPFILE) == OpenFlags.O_TMPFILE;
            errno = NewLabels.SetOpened(labels, fd, directoryFd, isTemporary ? null : name);
            if (errno != Errno.None)
            {
                Libc.Close(fd);
                fd = -(int)errno;
            }
        }

        isMade = fd >= 0;
        errno = isMade ? GrantOpened(directory, fd, flags, out entry, out handle) : fd.ToErrno();
        if (errno != Errno.None)
        {
            _handles.CancelReservation();
        }

        return errno;
    }

    private Errno GrantOpened(in PinnedInode directory, int fd, int flags, out Entry entry, out FileHandle handle)
    {
        entry = default;
        handle = default;
        bool isTemporary = (flags & OpenFlags.O_TMPFILE) == OpenFlags.O_TMPFILE;
        Errno errno = _share.Resolver.ResolveOpen(fd, out statx attributes, out PinnedInode inode);
        if (errno != Errno.None)
        {
            Libc.Close(fd);
            return errno;
        }

        // Before the reference is given away: the guest may forget the inode before it has the reply.
        PinnedInode opened = _share.Inodes.Pin(inode.Node);
        errno = Grant(ref inode, attributes, directory, out entry);
        inode.Dispose();
        if (errno == Errno.None && isTemporary)
        {
            // It has no name to lose, and lives by this or by the open file.
            errno = KeepRemoved(opened);
            if (errno != Errno.None)
            {
                Forget(entry.Node, 1);
                entry = default;
            }
        }

        if (errno == Errno.None && !_withoutOpens)
        {
            handle = _handles.Add(fd, HandleKind.File, ref opened, flags & LastingOpenFlags);
            return Errno.None;
        }

        opened.Dispose();
        Libc.Close(fd);
        if (errno == Errno.None)
        {
            // A client without opens will not name the open file.
            _handles.CancelReservation();
        }

        return errno;
    }

    private Errno OpenExisting(
        in Caller caller, in PinnedInode directory, int directoryFd, EntryName name, int flags, bool killSuidGid, out Entry entry,
        out FileHandle handle)
    {
        handle = default;
        Errno errno = LookUpIn(directory, directoryFd, name, out entry);
        if (errno != Errno.None)
        {
            return errno;
        }

        errno = OpenNode(caller, entry.Node, flags, killSuidGid, out handle);
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

    public Errno Read(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes)
    {
        bytes = 0;
        if (!IsDirect(file))
        {
            return ReadOnce(file, vectors, count, offset, mayWait, out bytes);
        }

        // Direct reads wait for the disk each time.
        Errno errno = mayWait ? ReadOnce(file, vectors, count, offset, mayWait, out bytes) : Errno.EAGAIN;
        return errno is Errno.None or Errno.EINVAL && bytes < TotalLength(vectors, count)
            ? ReadOnce(Buffered(file), vectors, count, offset, mayWait, out bytes)
            : errno;
    }

    private Errno ReadOnce(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes)
    {
        bytes = 0;
        using FileUse use = UseForReading(file, DescriptorFlags);
        if (use.Errno != Errno.None || offset < 0)
        {
            // To preadv2 and pwritev2, -1 is no error but the descriptor's own position.
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        while (count > 0)
        {
            int part = Math.Min(count, VectorsMax);
            long read = mayWait
                ? Libc.PReadV2(use.Fd, vectors, part, offset + bytes, 0)
                : ReadWithoutWaiting(use, vectors, part, offset + bytes);
            if (read.ToErrno() == Errno.EAGAIN)
            {
                return Errno.EAGAIN;
            }

            if (!Advance(read, TotalLength(vectors, part), ref bytes))
            {
                // What was moved before an error is an answer; the error shows when it is asked for the rest.
                return bytes > 0 ? Errno.None : read.ToErrno();
            }

            // SAFETY: part is at most count.
            vectors += part;
            count -= part;
        }

        return Errno.None;
    }

    /// <summary>
    /// What the host's page cache has. It answers with what comes before the first page that it lacks, which looks like the end of the
    /// file if that is where a page ends: only a second look tells.
    /// </summary>
    /// <returns>As preadv2(2); EAGAIN when pages are missing. Where the host cannot tell, it may wait.</returns>
    private long ReadWithoutWaiting(in FileUse use, IoVec* vectors, int count, long offset)
    {
        if (!_share.TellsOfWaits(use.Mount))
        {
            return Libc.PReadV2(use.Fd, vectors, count, offset, 0);
        }

        long read = Libc.PReadV2(use.Fd, vectors, count, offset, TransferFlags.RWF_NOWAIT);
        if (read.ToErrno() == Errno.EOPNOTSUPP)
        {
            _share.NoteNotTellingOfWaits(use.Mount);
            return Libc.PReadV2(use.Fd, vectors, count, offset, 0);
        }

        bool isAtPageEnd = read > 0 && read < TotalLength(vectors, count) && (offset + read) % Environment.SystemPageSize == 0;
        // SAFETY: one byte, for a vector of one.
        byte next;
        IoVec one = new(&next, 1);
        return isAtPageEnd && Libc.PReadV2(use.Fd, &one, 1, offset + read, TransferFlags.RWF_NOWAIT) != 0 ? -(long)Errno.EAGAIN : read;
    }

    public Errno Write(in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes)
    {
        // Pages of a mapping have places of their own, whatever the open file is that they are written by.
        file = (flags & FuseWriteFlags.Cache) != 0 ? file with { OpenFlags = file.OpenFlags & ~OpenFlags.O_APPEND } : file;
        Errno errno = WriteOnce(caller, file, vectors, count, offset, flags, out bytes);
        // What was appended in part must not be appended again.
        bool mayRepeat = bytes == 0 || (file.OpenFlags & OpenFlags.O_APPEND) == 0;
        return IsDirect(file) && mayRepeat && (errno is Errno.None or Errno.EINVAL) && bytes < TotalLength(vectors, count)
            ? WriteOnce(caller, Buffered(file), vectors, count, offset, flags, out bytes)
            : errno;
    }

    /// <summary>
    /// Whether the client's O_DIRECT reaches the host. The host's file system takes such requests only with offsets, lengths and
    /// memory that suit its disk, which the client does not know; others go through the host's page cache.
    /// </summary>
    private bool IsDirect(FileTarget file) => _share.Options.AllowDirectIo && (file.OpenFlags & OpenFlags.O_DIRECT) != 0;

    private static FileTarget Buffered(FileTarget file) => file with { OpenFlags = file.OpenFlags & ~OpenFlags.O_DIRECT };

    private Errno WriteOnce(in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes)
    {
        bytes = 0;
        int writeFlags = WriteFlags(file.OpenFlags);
        using FileUse use = UseForWriting(file, OpenFlags.O_DIRECT);
        if (use.Errno != Errno.None || offset < 0)
        {
            // To preadv2 and pwritev2, -1 is no error but the descriptor's own position.
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        NoteWritten(use);
        Errno errno;
        using (Mutate(ChangeOperation.Write, [TouchedObject.Inode(use.InodeKey)]))
        {
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, (flags & FuseWriteFlags.KillSuidgid) != 0);
            errno = setId.Errno == Errno.None ? WriteTo(use, vectors, count, offset, writeFlags, out bytes) : setId.Errno;
        }

        if (bytes > 0)
        {
            RaiseContent(FileEventKinds.Modify, use.Node, use.InodeKey, use.Fd);
            ExpectClose(use);
        }

        return errno;
    }

    private Errno WriteTo(in FileUse use, IoVec* vectors, int count, long offset, int flags, out long bytes)
    {
        bytes = 0;
        while (count > 0)
        {
            int part = Math.Min(count, VectorsMax);
            long written = Libc.PWriteV2(use.Fd, vectors, part, offset + bytes, flags);
            if (!Advance(written, TotalLength(vectors, part), ref bytes))
            {
                return CheckClosed(use, bytes > 0 ? Errno.None : written.ToErrno());
            }

            // SAFETY: part is at most count.
            vectors += part;
            count -= part;
        }

        return CheckClosed(use, Errno.None);
    }

    /// <summary>
    /// The client's O_APPEND, O_SYNC and O_DSYNC for one write. A descriptor with O_APPEND would ignore the offsets of writes for
    /// which the client does not have it: of mapped pages, and after F_SETFL.
    /// </summary>
    private static int WriteFlags(int openFlags)
    {
        int flags = (openFlags & OpenFlags.O_APPEND) != 0 ? TransferFlags.RWF_APPEND : 0;
        flags |= (openFlags & OpenFlags.O_DSYNC) != 0 ? TransferFlags.RWF_DSYNC : 0;
        return (openFlags & OpenFlags.O_SYNC) == OpenFlags.O_SYNC ? flags | TransferFlags.RWF_SYNC : flags;
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

    // SAFETY: count vectors, as IFileSystem.Read and Write are given them.
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
        if (_share.ReopensFreely(use.File.Mount))
        {
            Rest(use.File);
            return Errno.None;
        }

        return use.File.WasWritten && use.File.Wake() == Errno.None ? CloseDuplicate(use.File.Fd) : Errno.None;
    }

    private void Rest(OpenFile file)
    {
        if (file.IsWritable && !file.HasFlock)
        {
            using PinnedInode inode = _share.Inodes.Pin(file.Node);
            using PinnedDescriptor path = _share.OpenPath(inode);
            if (path.Errno == Errno.None)
            {
                file.Rest(path.Fd);
            }
        }
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

            if (!use.IsEmpty && use.File.IsWritable)
            {
                RaiseContent(FileEventKinds.CloseWrite, use.File.Node, use.File.InodeKey, use.File.Fd);
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

    public Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length)
    {
        using FileUse use = UseForWriting(file);
        if (use.Errno != Errno.None)
        {
            return use.Errno;
        }

        NoteWritten(use);
        Errno errno;
        using (Mutate(ChangeOperation.Fallocate, [TouchedObject.Inode(use.InodeKey)]))
        {
            // The client leaves it to the daemon, and says of these two requests not whether its caller has CAP_FSETID.
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, caller.Uid != 0);
            errno = setId.Errno == Errno.None ? Libc.Fallocate(use.Fd, mode, offset, length).ToErrno() : setId.Errno;
            errno = CheckClosed(use, errno);
        }

        if (errno == Errno.None)
        {
            RaiseContent(FileEventKinds.Modify, use.Node, use.InodeKey, use.Fd);
            ExpectClose(use);
        }

        return errno;
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

    public Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
    {
        copied = 0;
        using FileUse from = UseForReading(source, OpenFlags.O_DIRECT);
        using FileUse to = UseForWriting(target, OpenFlags.O_DIRECT);
        if (from.Errno != Errno.None || to.Errno != Errno.None)
        {
            return from.Errno != Errno.None ? from.Errno : to.Errno;
        }

        NoteWritten(to);
        Errno errno;
        using (Mutate(ChangeOperation.CopyFileRange, [TouchedObject.Inode(to.InodeKey)]))
        {
            using SetIdScope setId = ThreadCredentials.ClearSetId(caller, caller.Uid != 0);
            nuint most = (nuint)Math.Min(length, CopyBytesMax);
            copied = setId.Errno == Errno.None
                ? Libc.CopyFileRange(from.Fd, &sourceOffset, to.Fd, &targetOffset, most, 0)
                : -(long)setId.Errno;
            errno = CheckClosed(to, copied.ToErrno());
        }

        if (copied > 0)
        {
            RaiseContent(FileEventKinds.Modify, to.Node, to.InodeKey, to.Fd);
            ExpectClose(to);
        }

        return errno;
    }
}
