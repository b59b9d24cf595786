using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Serves another file system as it is; what derives from it serves it otherwise.</summary>
// SAFETY: vectors are passed on as they came; see IFileSystem.
public abstract unsafe class ForwardingFileSystem(IFileSystem inner) : IFileSystem
{
    protected IFileSystem Inner { get; } = inner;

    public virtual bool IsReadOnly => Inner.IsReadOnly;

    public virtual bool TryDoWithoutOpens() => Inner.TryDoWithoutOpens();

    public virtual void ShowMounts() => Inner.ShowMounts();

    public virtual bool TryShowDax(long minBytes) => Inner.TryShowDax(minBytes);

    public virtual Errno OpenForMapping(NodeId node, out int fd) => Inner.OpenForMapping(node, out fd);

    public virtual Errno PrepareStores(NodeId node, long offset, long length) => Inner.PrepareStores(node, offset, length);

    public virtual void KeepOpened(NodeId node) => Inner.KeepOpened(node);

    public virtual void LetClosed(NodeId node) => Inner.LetClosed(node);

    public virtual Errno Lookup(NodeId parent, EntryName name, out Entry entry) => Inner.Lookup(parent, name, out entry);

    public virtual Errno LookupNode(NodeId node, out Entry entry) => Inner.LookupNode(node, out entry);

    public virtual Errno LookupParent(NodeId node, out Entry entry) => Inner.LookupParent(node, out entry);

    public virtual Errno GetHandle(NodeId node, Span<byte> handle, out int length) => Inner.GetHandle(node, handle, out length);

    public virtual Errno FindByHandle(NodeId root, ReadOnlySpan<byte> handle, out NodeId node) =>
        Inner.FindByHandle(root, handle, out node);

    public virtual bool Holds(NodeId node) => Inner.Holds(node);

    public virtual bool IsRemoved(NodeId node) => Inner.IsRemoved(node);

    public virtual bool HasName(NodeId directory, ReadOnlySpan<byte> name) => Inner.HasName(directory, name);

    public virtual void Forget(NodeId node, ulong count) => Inner.Forget(node, count);

    public virtual Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes) =>
        Inner.GetAttributes(node, handle, out attributes);

    public virtual Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes) =>
        Inner.SetAttributes(caller, node, change, out attributes);

    public virtual Errno ReadLink(NodeId node, Span<byte> target, out int length) => Inner.ReadLink(node, target, out length);

    public virtual Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) =>
        Inner.Symlink(caller, parent, name, target, out entry);

    public virtual Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) =>
        Inner.MakeNode(caller, parent, name, mode, device, out entry);

    public virtual Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) =>
        Inner.MakeDirectory(caller, parent, name, mode, out entry);

    public virtual Errno Unlink(NodeId parent, EntryName name) => Inner.Unlink(parent, name);

    public virtual Errno RemoveDirectory(NodeId parent, EntryName name) => Inner.RemoveDirectory(parent, name);

    public virtual Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags) =>
        Inner.Rename(caller, parent, name, newParent, newName, flags);

    public virtual Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) =>
        Inner.Link(node, newParent, newName, out entry);

    public virtual Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle) =>
        Inner.Open(caller, node, flags, killSuidGid, out handle);

    public virtual Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle) =>
        Inner.Create(caller, parent, name, flags, mode, killSuidGid, out entry, out handle);

    public virtual Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle) =>
        Inner.CreateTemporary(caller, parent, flags, mode, out entry, out handle);

    public virtual Errno Read(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes) =>
        Inner.Read(file, vectors, count, offset, mayWait, out bytes);

    public virtual Errno Write(
        in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes) =>
        Inner.Write(caller, file, vectors, count, offset, flags, out bytes);

    public virtual Errno Flush(FileTarget file, ulong lockOwner) => Inner.Flush(file, lockOwner);

    public virtual Errno Release(FileTarget file, FuseReleaseFlags flags, ulong lockOwner) => Inner.Release(file, flags, lockOwner);

    public virtual Errno Sync(FileTarget file, bool dataOnly) => Inner.Sync(file, dataOnly);

    public virtual Errno OpenDirectory(NodeId node, out FileHandle handle) => Inner.OpenDirectory(node, out handle);

    public virtual Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink) =>
        Inner.ReadDirectory(directory, offset, plus, sink);

    public virtual Errno ReleaseDirectory(FileTarget directory) => Inner.ReleaseDirectory(directory);

    public virtual Errno SyncDirectory(FileTarget directory, bool dataOnly) => Inner.SyncDirectory(directory, dataOnly);

    public virtual Errno GetStatistics(NodeId node, out statfs statistics) => Inner.GetStatistics(node, out statistics);

    public virtual Errno SyncFileSystem(NodeId node) => Inner.SyncFileSystem(node);

    public virtual Errno CheckAccess(in Caller caller, NodeId node, uint mask) => Inner.CheckAccess(caller, node, mask);

    public virtual Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length) =>
        Inner.GetXattr(node, name, value, out length);

    public virtual Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid) =>
        Inner.SetXattr(caller, node, name, value, flags, killSgid);

    public virtual Errno ListXattr(NodeId node, Span<byte> list, out int length) => Inner.ListXattr(node, list, out length);

    public virtual Errno RemoveXattr(NodeId node, EntryName name) => Inner.RemoveXattr(node, name);

    public virtual Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length) =>
        Inner.Allocate(caller, file, mode, offset, length);

    public virtual Errno Seek(FileTarget file, long offset, int whence, out long position) =>
        Inner.Seek(file, offset, whence, out position);

    public virtual Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied) =>
        Inner.CopyRange(caller, source, sourceOffset, target, targetOffset, length, out copied);

    public virtual Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock) => Inner.GetLock(file, owner, ref fileLock);

    public virtual LockOwner IdentifyOwner(ulong owner) => Inner.IdentifyOwner(owner);

    public virtual void FindLockHolders(FileTarget file, ulong owner, in FileLock wanted, List<LockOwner> holders) =>
        Inner.FindLockHolders(file, owner, wanted, holders);

    public virtual bool HoldsLock(FileTarget file, ulong owner, bool isFlock) => Inner.HoldsLock(file, owner, isFlock);

    public virtual Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock) => Inner.SetLock(file, owner, fileLock);

    public virtual Errno SetFlock(FileTarget file, ulong owner, short type) => Inner.SetFlock(file, owner, type);

    public void Dispose()
    {
        Inner.Dispose();
        GC.SuppressFinalize(this);
    }
}
