using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Serves another file system without letting anything in it change: every change answers EROFS.</summary>
public sealed unsafe class ReadOnlyFileSystem(IFileSystem inner) : ForwardingFileSystem(inner)
{
    private const int ChangingOpenFlags = OpenFlags.O_TRUNC | OpenFlags.O_CREAT;

    /// <summary>W_OK of access(2).</summary>
    private const uint WriteAccess = 2;

    public override bool IsReadOnly => true;

    /// <summary>What a VMM maps for a guest, that can store to.</summary>
    public override bool TryShowDax(long minBytes) => false;

    public override Errno OpenForMapping(NodeId node, out int fd)
    {
        fd = -1;
        return Errno.EROFS;
    }

    public override Errno PrepareStores(NodeId node, long offset, long length) => Errno.EROFS;

    public override Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        bool changes = (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY || (flags & ChangingOpenFlags) != 0;
        return changes ? Errno.EROFS : Inner.Open(caller, node, flags, killSuidGid, out handle);
    }

    public override Errno CheckAccess(in Caller caller, NodeId node, uint mask) =>
        (mask & WriteAccess) != 0 ? Errno.EROFS : Inner.CheckAccess(caller, node, mask);

    // Locks change nothing that is stored, and exclude others just the same.
    public override Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock) => Inner.GetLock(file, owner, ref fileLock);

    // A lock for writing takes a file that is open for writing.
    public override Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock) =>
        fileLock.Type == LockFlags.F_WRLCK ? Errno.EBADF : Inner.SetLock(file, owner, fileLock);

    public override Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes)
    {
        attributes = default;
        return Errno.EROFS;
    }

    public override Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) => Refuse(out entry);

    public override Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) =>
        Refuse(out entry);

    public override Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) => Refuse(out entry);

    public override Errno Unlink(NodeId parent, EntryName name) => Errno.EROFS;

    public override Errno RemoveDirectory(NodeId parent, EntryName name) => Errno.EROFS;

    public override Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags) =>
        Errno.EROFS;

    public override Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) => Refuse(out entry);

    /// <summary>A file that exists is opened for reading, as open(2) with O_CREAT does on a read-only mount.</summary>
    public override Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        handle = default;
        Errno errno = Inner.Lookup(parent, name, out entry);
        if (errno != Errno.None)
        {
            return errno == Errno.ENOENT ? Errno.EROFS : errno;
        }

        errno = (flags & OpenFlags.O_EXCL) != 0
            ? Errno.EEXIST
            : Open(caller, entry.Node, flags & ~OpenFlags.O_CREAT, killSuidGid, out handle);
        // A client that does without opens needs none here either.
        errno = errno == Errno.ENOSYS ? Errno.None : errno;
        if (errno != Errno.None)
        {
            Inner.Forget(entry.Node, 1);
        }

        return errno;
    }

    public override Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        handle = default;
        return Refuse(out entry);
    }

    public override Errno Write(
        in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes)
    {
        bytes = 0;
        return Errno.EROFS;
    }

    public override Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid) =>
        Errno.EROFS;

    public override Errno RemoveXattr(NodeId node, EntryName name) => Errno.EROFS;

    public override Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length) => Errno.EROFS;

    public override Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
    {
        copied = 0;
        return Errno.EROFS;
    }

    private static Errno Refuse(out Entry entry)
    {
        entry = default;
        return Errno.EROFS;
    }
}
