using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Serves another file system without letting anything in it change: every change answers EROFS.</summary>
public sealed unsafe class ReadOnlyFileSystem(IFileSystem inner) : IFileSystem
{
    private const int ChangingOpenFlags = OpenFlags.O_TRUNC | OpenFlags.O_CREAT;

    /// <summary>W_OK of access(2).</summary>
    private const uint WriteAccess = 2;

    public bool IsReadOnly => true;

    public void Dispose() => inner.Dispose();

    public bool TryDoWithoutOpens() => inner.TryDoWithoutOpens();

    public void KeepOpened(NodeId node) => inner.KeepOpened(node);

    public void LetClosed(NodeId node) => inner.LetClosed(node);

    public Errno Lookup(NodeId parent, EntryName name, out Entry entry) => inner.Lookup(parent, name, out entry);

    public void Forget(NodeId node, ulong count) => inner.Forget(node, count);

    public Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes) =>
        inner.GetAttributes(node, handle, out attributes);

    public Errno ReadLink(NodeId node, Span<byte> target, out int length) => inner.ReadLink(node, target, out length);

    public Errno Open(NodeId node, int flags, bool killSuidGid, out FileHandle handle)
    {
        handle = default;
        bool changes = (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY || (flags & ChangingOpenFlags) != 0;
        return changes ? Errno.EROFS : inner.Open(node, flags, killSuidGid, out handle);
    }

    public Errno Read(FileTarget file, IoVec* vectors, int count, long offset, out long bytes) =>
        inner.Read(file, vectors, count, offset, out bytes);

    public Errno Flush(FileTarget file, ulong lockOwner) => inner.Flush(file, lockOwner);

    public Errno Release(FileTarget file, FuseReleaseFlags flags, ulong lockOwner) => inner.Release(file, flags, lockOwner);

    public Errno Sync(FileTarget file, bool dataOnly) => inner.Sync(file, dataOnly);

    public Errno OpenDirectory(NodeId node, out FileHandle handle) => inner.OpenDirectory(node, out handle);

    public Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink) =>
        inner.ReadDirectory(directory, offset, plus, sink);

    public Errno ReleaseDirectory(FileTarget directory) => inner.ReleaseDirectory(directory);

    public Errno SyncDirectory(FileTarget directory, bool dataOnly) => inner.SyncDirectory(directory, dataOnly);

    public Errno GetStatistics(NodeId node, out statfs statistics) => inner.GetStatistics(node, out statistics);

    public Errno SyncFileSystem(NodeId node) => inner.SyncFileSystem(node);

    public Errno CheckAccess(in Caller caller, NodeId node, uint mask) =>
        (mask & WriteAccess) != 0 ? Errno.EROFS : inner.CheckAccess(caller, node, mask);

    public Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length) =>
        inner.GetXattr(node, name, value, out length);

    public Errno ListXattr(NodeId node, Span<byte> list, out int length) => inner.ListXattr(node, list, out length);

    public Errno Seek(FileTarget file, long offset, int whence, out long position) =>
        inner.Seek(file, offset, whence, out position);

    // Locks change nothing that is stored, and exclude others just the same.
    public Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock) => inner.GetLock(file, owner, ref fileLock);

    public Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock) => inner.SetLock(file, owner, fileLock);

    public Errno SetFlock(FileTarget file, ulong owner, short type) => inner.SetFlock(file, owner, type);

    public Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes)
    {
        attributes = default;
        return Errno.EROFS;
    }

    public Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) => Refuse(out entry);

    public Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) => Refuse(out entry);

    public Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) => Refuse(out entry);

    public Errno Unlink(NodeId parent, EntryName name) => Errno.EROFS;

    public Errno RemoveDirectory(NodeId parent, EntryName name) => Errno.EROFS;

    public Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags) => Errno.EROFS;

    public Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) => Refuse(out entry);

    /// <summary>A file that exists is opened for reading, as open(2) with O_CREAT does on a read-only mount.</summary>
    public Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        handle = default;
        Errno errno = inner.Lookup(parent, name, out entry);
        if (errno != Errno.None)
        {
            return errno == Errno.ENOENT ? Errno.EROFS : errno;
        }

        errno = (flags & OpenFlags.O_EXCL) != 0
            ? Errno.EEXIST
            : Open(entry.Node, flags & ~OpenFlags.O_CREAT, killSuidGid, out handle);
        // A client that does without opens needs none here either.
        errno = errno == Errno.ENOSYS ? Errno.None : errno;
        if (errno != Errno.None)
        {
            inner.Forget(entry.Node, 1);
        }

        return errno;
    }

    public Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        handle = default;
        return Refuse(out entry);
    }

    public Errno Write(FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, int openFlags, out long bytes)
    {
        bytes = 0;
        return Errno.EROFS;
    }

    public Errno SetXattr(NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid) => Errno.EROFS;

    public Errno RemoveXattr(NodeId node, EntryName name) => Errno.EROFS;

    public Errno Allocate(FileTarget file, int mode, long offset, long length) => Errno.EROFS;

    public Errno CopyRange(FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
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
