using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Tests.Vm;

/// <summary>A guest's files, as served through a <see cref="ReplyGate"/>.</summary>
internal sealed unsafe class InterceptedFileSystem(IFileSystem inner, ReplyGate gate, string guest) : ForwardingFileSystem(inner)
{
    public override Errno Lookup(NodeId parent, EntryName name, out Entry entry) =>
        Pass(FuseOpcode.Lookup, parent, Inner.Lookup(parent, name, out entry));

    public override Errno LookupNode(NodeId node, out Entry entry) => Pass(FuseOpcode.Lookup, node, Inner.LookupNode(node, out entry));

    public override Errno LookupParent(NodeId node, out Entry entry) => Pass(FuseOpcode.Lookup, node, Inner.LookupParent(node, out entry));

    public override Errno GetHandle(NodeId node, Span<byte> handle, out int length) =>
        Pass(FuseOpcode.GetXattr, node, Inner.GetHandle(node, handle, out length));

    public override Errno FindByHandle(NodeId root, ReadOnlySpan<byte> handle, out NodeId node) =>
        Pass(FuseOpcode.GetXattr, root, Inner.FindByHandle(root, handle, out node));

    public override void Forget(NodeId node, ulong count)
    {
        Pass(FuseOpcode.Forget, node, Errno.None);
        Inner.Forget(node, count);
    }

    public override Errno GetAttributes(NodeId node, FileHandle? handle, out statx attributes)
    {
        Errno answer = Inner.GetAttributes(node, handle, out attributes);
        ulong inode = attributes.stx_ino;
        return gate.Pass(guest, FuseOpcode.GetAttr, () => inode, answer);
    }

    public override Errno SetAttributes(in Caller caller, NodeId node, in AttributeChange change, out statx attributes) =>
        Pass(FuseOpcode.SetAttr, node, Inner.SetAttributes(caller, node, change, out attributes));

    public override Errno ReadLink(NodeId node, Span<byte> target, out int length) =>
        Pass(FuseOpcode.ReadLink, node, Inner.ReadLink(node, target, out length));

    public override Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) =>
        Pass(FuseOpcode.Symlink, parent, Inner.Symlink(caller, parent, name, target, out entry));

    public override Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry) =>
        Pass(FuseOpcode.MkNod, parent, Inner.MakeNode(caller, parent, name, mode, device, out entry));

    public override Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) =>
        Pass(FuseOpcode.MkDir, parent, Inner.MakeDirectory(caller, parent, name, mode, out entry));

    public override Errno Unlink(NodeId parent, EntryName name) => Pass(FuseOpcode.Unlink, parent, Inner.Unlink(parent, name));

    public override Errno RemoveDirectory(NodeId parent, EntryName name) =>
        Pass(FuseOpcode.RmDir, parent, Inner.RemoveDirectory(parent, name));

    public override Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags) =>
        Pass(FuseOpcode.Rename2, parent, Inner.Rename(caller, parent, name, newParent, newName, flags));

    public override Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry) =>
        Pass(FuseOpcode.Link, newParent, Inner.Link(node, newParent, newName, out entry));

    public override Errno Open(in Caller caller, NodeId node, int flags, bool killSuidGid, out FileHandle handle) =>
        Pass(FuseOpcode.Open, node, Inner.Open(caller, node, flags, killSuidGid, out handle));

    public override Errno Create(
        in Caller caller, NodeId parent, EntryName name, int flags, uint mode, bool killSuidGid, out Entry entry, out FileHandle handle) =>
        Pass(FuseOpcode.Create, parent, Inner.Create(caller, parent, name, flags, mode, killSuidGid, out entry, out handle));

    public override Errno CreateTemporary(in Caller caller, NodeId parent, int flags, uint mode, out Entry entry, out FileHandle handle) =>
        Pass(FuseOpcode.TmpFile, parent, Inner.CreateTemporary(caller, parent, flags, mode, out entry, out handle));

    public override Errno Read(FileTarget file, IoVec* vectors, int count, long offset, bool mayWait, out long bytes)
    {
        Errno answer = Inner.Read(file, vectors, count, offset, mayWait, out bytes);
        return answer == Errno.EAGAIN && !mayWait ? answer : Pass(FuseOpcode.Read, file, answer);
    }

    public override Errno Write(
        in Caller caller, FileTarget file, IoVec* vectors, int count, long offset, FuseWriteFlags flags, out long bytes) =>
        Pass(FuseOpcode.Write, file, Inner.Write(caller, file, vectors, count, offset, flags, out bytes));

    public override Errno Flush(FileTarget file, ulong lockOwner) => Pass(FuseOpcode.Flush, file, Inner.Flush(file, lockOwner));

    public override Errno Sync(FileTarget file, bool dataOnly) => Pass(FuseOpcode.Fsync, file, Inner.Sync(file, dataOnly));

    public override Errno OpenDirectory(NodeId node, out FileHandle handle) =>
        Pass(FuseOpcode.OpenDir, node, Inner.OpenDirectory(node, out handle));

    public override Errno ReadDirectory(FileTarget directory, long offset, bool plus, IDirectorySink sink) =>
        Pass(plus ? FuseOpcode.ReadDirPlus : FuseOpcode.ReadDir, directory, Inner.ReadDirectory(directory, offset, plus, sink));

    public override Errno SyncDirectory(FileTarget directory, bool dataOnly) =>
        Pass(FuseOpcode.FsyncDir, directory, Inner.SyncDirectory(directory, dataOnly));

    public override Errno GetStatistics(NodeId node, out statfs statistics) =>
        Pass(FuseOpcode.StatFs, node, Inner.GetStatistics(node, out statistics));

    public override Errno SyncFileSystem(NodeId node) => Pass(FuseOpcode.SyncFs, node, Inner.SyncFileSystem(node));

    public override Errno CheckAccess(in Caller caller, NodeId node, uint mask) =>
        Pass(FuseOpcode.Access, node, Inner.CheckAccess(caller, node, mask));

    public override Errno GetXattr(NodeId node, EntryName name, Span<byte> value, out int length) =>
        gate.Channel is { } channel && channel.TryGet(name.Bytes, value, out Errno answer, out length) ? answer : Pass(
            FuseOpcode.GetXattr, node, Inner.GetXattr(node, name, value, out length));

    public override Errno SetXattr(in Caller caller, NodeId node, EntryName name, ReadOnlySpan<byte> value, int flags, bool killSgid) =>
        gate.Channel is { } channel && channel.TrySet(name.Bytes) ? Errno.ENODATA : Pass(
            FuseOpcode.SetXattr, node, Inner.SetXattr(caller, node, name, value, flags, killSgid));

    public override Errno ListXattr(NodeId node, Span<byte> list, out int length) =>
        Pass(FuseOpcode.ListXattr, node, Inner.ListXattr(node, list, out length));

    public override Errno RemoveXattr(NodeId node, EntryName name) => Pass(FuseOpcode.RemoveXattr, node, Inner.RemoveXattr(node, name));

    public override Errno Allocate(in Caller caller, FileTarget file, int mode, long offset, long length) =>
        Pass(FuseOpcode.Fallocate, file, Inner.Allocate(caller, file, mode, offset, length));

    public override Errno Seek(FileTarget file, long offset, int whence, out long position) =>
        Pass(FuseOpcode.LSeek, file, Inner.Seek(file, offset, whence, out position));

    public override Errno CopyRange(
        in Caller caller, FileTarget source, long sourceOffset, FileTarget target, long targetOffset, ulong length, out long copied) =>
        Pass(FuseOpcode.CopyFileRange, target, Inner.CopyRange(caller, source, sourceOffset, target, targetOffset, length, out copied));

    public override Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock) =>
        Pass(FuseOpcode.GetLk, file, Inner.GetLock(file, owner, ref fileLock));

    public override Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock) =>
        Pass(FuseOpcode.SetLk, file, Inner.SetLock(file, owner, fileLock));

    public override Errno SetFlock(FileTarget file, ulong owner, short type) =>
        Pass(FuseOpcode.SetLk, file, Inner.SetFlock(file, owner, type));

    private Errno Pass(FuseOpcode opcode, NodeId node, Errno answer) => Pass(opcode, new FileTarget(node, default), answer);

    private Errno Pass(FuseOpcode opcode, FileTarget target, Errno answer) => gate.Pass(guest, opcode, () => InodeOf(target), answer);

    /// <summary>0 for what is not known.</summary>
    private ulong InodeOf(FileTarget target)
    {
        Inner.GetAttributes(target.Node, target.HasHandle ? target.Handle : null, out statx attributes);
        return attributes.stx_ino;
    }
}
