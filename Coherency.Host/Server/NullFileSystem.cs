using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// Does nothing and answers at once, from constants: every name is the same file of one MiB, every directory has two
/// entries. For measuring what is around a file system, and for feeding it nonsense.
/// </summary>
public sealed unsafe class NullFileSystem : IFileSystem
{
    private const ulong FileNode = 2;
    private const long FileBytes = 1 << 20;
    private const int EntryCount = 2;

    public bool IsReadOnly => false;

    public void Dispose()
    {
    }

    /// <summary>It has a handle for everything.</summary>
    public bool TryDoWithoutOpens() => false;

    public bool TryShowDax(long minBytes) => false;

    public Errno OpenForMapping(NodeId node, out int fd)
    {
        fd = -1;
        return Errno.EIO;
    }

    public Errno PrepareStores(NodeId node, long offset, long length) => Errno.EIO;

    public void ShowMounts()
    {
    }

    public void KeepOpened(NodeId node)
    {
    }

    public void LetClosed(NodeId node)
    {
    }

    public Errno Lookup(NodeId parent, EntryName name, out Entry entry) => Answer(out entry);

    public Errno LookupNode(NodeId node, out Entry entry) => Answer(out entry);

    public Errno LookupParent(NodeId node, out Entry entry) => Answer(out entry);

    public Errno GetHandle(NodeId node, Span<byte> handle, out int length)
    {
        length = 0;
        return Errno.ENODATA;
    }

    public Errno FindByHandle(NodeId root, ReadOnlySpan<byte> handle, out NodeId node)
    {
        node = default;
        return Errno.ESTALE;
    }

    public bool Holds(NodeId node) => node == NodeId.Root;

    public bool IsRemoved(NodeId node) => false;

    public bool HasName(NodeId directory, ReadOnlySpan<byte> name) => false;

    public void Forget(NodeId node, ulong count)
    {
    }

    public Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes)
    {
        attributes = AttributesOf(node.Value);
        return Errno.None;
    }

    public Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes) =>
        GetAttributes(node, null, out attributes);

    public Errno ReadLink(NodeId node, Span<byte> target, out int length)
    {
        length = "target"u8.TryCopyTo(target) ? "target"u8.Length : 0;
        return Errno.None;
    }

    public Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) => Answer(out entry);

    public Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) => Answer(out entry);

    public Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) => Answer(out entry);

    public Errno Unlink(NodeId parent, EntryName name) => Errno.None;

    public Errno RemoveDirectory(NodeId parent, EntryName name) => Errno.None;

    public Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags) => Errno.None;

    public Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) => Answer(out entry);

    public Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle) => Answer(out handle);

    public Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle)
    {
        Answer(out handle);
        return Answer(out entry);
    }

    public Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle)
    {
        Answer(out handle);
        return Answer(out entry);
    }

    /// <summary>Leaves the memory as it is: zeros are not the point.</summary>
    public Errno Read(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes)
    {
        bytes = Math.Clamp(FileBytes - offset, 0, TotalLength(vectors, count));
        return Errno.None;
    }

    public Errno Write(in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes)
    {
        bytes = TotalLength(vectors, count);
        return Errno.None;
    }

    public Errno Flush(FileTarget file, ulong lockOwner) => Errno.None;

    public Errno Release(FileTarget file, FuseReleaseFlags flags, ulong lockOwner) => Errno.None;

    public Errno Sync(FileTarget file, bool dataOnly) => Errno.None;

    public Errno OpenDirectory(NodeId node, out FileHandle handle) => Answer(out handle);

    public Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink)
    {
        ReadOnlySpan<byte> name = "file"u8;
        for (long next = offset + 1; next is > 0 and <= EntryCount && sink.HasRoom(name.Length); next++)
        {
            DirectoryPosition position = new(FileNode, (byte)(StatFlags.S_IFREG >> 12), next);
            if (plus)
            {
                Answer(out Entry entry);
                sink.AddPlus(position, name, entry);
            }
            else
            {
                sink.Add(position, name);
            }
        }

        return Errno.None;
    }

    public Errno ReleaseDirectory(FileTarget directory) => Errno.None;

    public Errno SyncDirectory(FileTarget directory, bool dataOnly) => Errno.None;

    public Errno GetStatistics(NodeId node, out statfs statistics)
    {
        statistics = new statfs { f_bsize = 4096, f_frsize = 4096, f_namelen = EntryName.BytesMax };
        return Errno.None;
    }

    public Errno SyncFileSystem(NodeId node) => Errno.None;

    public Errno CheckAccess(in Caller caller, NodeId node, uint mask) => Errno.None;

    public Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length) => Answer(out length, Errno.ENODATA);

    public Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid) => Errno.None;

    public Errno ListXattr(NodeId node, Span<byte> list, out int length) => Answer(out length, Errno.None);

    public Errno RemoveXattr(NodeId node, EntryName name) => Errno.None;

    public Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length) => Errno.None;

    public Errno Seek(FileTarget file, long offset, int whence, out long position)
    {
        position = offset;
        return Errno.None;
    }

    public Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied)
    {
        copied = (long)Math.Min(length, FileBytes);
        return Errno.None;
    }

    public Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock)
    {
        fileLock.Type = LockFlags.F_UNLCK;
        return Errno.None;
    }

    public Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock) => Errno.None;

    public LockOwner IdentifyOwner(ulong owner) => new(this, owner);

    public void FindLockHolders(FileTarget file, ulong owner, in FileLock wanted, List<LockOwner> holders)
    {
    }

    public bool HoldsLock(FileTarget file, ulong owner, bool isFlock) => false;

    public Errno SetFlock(FileTarget file, ulong owner, short type) => Errno.None;

    private static statx AttributesOf(ulong node)
    {
        bool isRoot = node == NodeId.Root.Value;
        return new statx
        {
            stx_ino = node,
            stx_mode = (ushort)(isRoot ? StatFlags.S_IFDIR | 0x1ED : StatFlags.S_IFREG | 0x1A4),
            stx_nlink = isRoot ? 2u : 1u,
            stx_size = isRoot ? 4096UL : FileBytes,
            stx_blksize = 4096,
        };
    }

    private static Errno Answer(out Entry entry)
    {
        entry = new Entry { Node = new NodeId(FileNode), Attributes = AttributesOf(FileNode) };
        return Errno.None;
    }

    private static Errno Answer(out FileHandle handle)
    {
        handle = new FileHandle(FileNode);
        return Errno.None;
    }

    private static Errno Answer(out int length, Errno errno)
    {
        length = 0;
        return errno;
    }

    // SAFETY: count vectors (IFileSystem.Read).
    private static long TotalLength(IoVec* vectors, int count)
    {
        long total = 0;
        for (int i = 0; i < count; i++)
        {
            total += (long)vectors[i].Length;
        }

        return total;
    }
}
