using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Guest.Fuse;

/// <summary>
/// Requests of root as a guest's kernel would send them, written into a slot with room for their reply, for who sends many at a time;
/// none allocates. <see cref="FuseClient"/> sends one and waits for it.
/// </summary>
public static class RequestWriting
{
    private const uint FileMode = 0x81A4;
    private const uint DirectoryMode = 0x1ED;
    private const uint CreateFlags = OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_EXCL;

    /// <summary>FATTR_MODE of linux/fuse.h.</summary>
    private const uint ChangesMode = 1;
    private const int TargetBytes = 4096;
    private const int ValueBytes = 256;

    public static RequestSlot WriteLookup(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(FuseOpcode.Lookup, parent).Name(name).ExpectReply<fuse_entry_out>();

    public static RequestSlot WriteGetAttr(this RequestSlot slot, NodeId node) =>
        slot.BeginAsRoot(FuseOpcode.GetAttr, node).Argument(default(fuse_getattr_in)).ExpectReply<fuse_attr_out>();

    /// <summary>Sets the permissions of a file.</summary>
    public static RequestSlot WriteSetMode(this RequestSlot slot, NodeId node, uint permissions) =>
        slot.BeginAsRoot(FuseOpcode.SetAttr, node)
        .Argument(new fuse_setattr_in { valid = ChangesMode, mode = (FileMode & ~0x1FFu) | permissions })
        .ExpectReply<fuse_attr_out>();

    public static RequestSlot WriteReadLink(this RequestSlot slot, NodeId node) =>
        slot.BeginAsRoot(FuseOpcode.ReadLink, node).ExpectData(TargetBytes);

    public static RequestSlot WriteGetXattr(this RequestSlot slot, NodeId node, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(FuseOpcode.GetXattr, node)
        .Argument(new fuse_getxattr_in { size = ValueBytes })
        .Name(name)
        .ExpectData(ValueBytes);

    public static RequestSlot WriteStatFs(this RequestSlot slot) =>
        slot.BeginAsRoot(FuseOpcode.StatFs, NodeId.Root).ExpectReply<fuse_statfs_out>();

    public static RequestSlot WriteOpen(this RequestSlot slot, NodeId node, int flags = OpenFlags.O_RDONLY) =>
        slot.BeginAsRoot(FuseOpcode.Open, node)
        .Argument(new fuse_open_in { flags = (uint)flags })
        .ExpectReply<fuse_open_out>();

    public static RequestSlot WriteOpenDir(this RequestSlot slot, NodeId node) => slot.BeginAsRoot(FuseOpcode.OpenDir, node)
        .Argument(new fuse_open_in { flags = OpenFlags.O_DIRECTORY })
        .ExpectReply<fuse_open_out>();

    public static RequestSlot WriteRead(this RequestSlot slot, in OpenedFile file, ulong offset, int bytes) =>
        slot.BeginAsRoot(FuseOpcode.Read, file.Node)
        .Argument(new fuse_read_in { fh = file.Handle.Value, offset = offset, size = (uint)bytes })
        .ExpectData(bytes);

    public static RequestSlot WriteWrite(this RequestSlot slot, in OpenedFile file, ulong offset, int bytes) =>
        slot.BeginAsRoot(FuseOpcode.Write, file.Node)
        .Argument(new fuse_write_in { fh = file.Handle.Value, offset = offset, size = (uint)bytes, flags = OpenFlags.O_RDWR })
        .SendData(bytes)
        .ExpectReply<fuse_write_out>();

    public static RequestSlot WriteFsync(this RequestSlot slot, in OpenedFile file) => slot.BeginAsRoot(FuseOpcode.Fsync, file.Node)
        .Argument(new fuse_fsync_in { fh = file.Handle.Value })
        .ExpectReply();

    public static RequestSlot WriteRelease(this RequestSlot slot, in OpenedFile file) => WriteRelease(slot, FuseOpcode.Release, file);

    public static RequestSlot WriteReleaseDir(this RequestSlot slot, in OpenedFile directory) =>
        WriteRelease(slot, FuseOpcode.ReleaseDir, directory);

    /// <param name="opcode">ReadDir or ReadDirPlus.</param>
    public static RequestSlot WriteReadDir(this RequestSlot slot, FuseOpcode opcode, in OpenedFile directory, ulong offset, int bytes) =>
        slot.BeginAsRoot(opcode, directory.Node)
        .Argument(new fuse_read_in { fh = directory.Handle.Value, offset = offset, size = (uint)bytes })
        .ExpectData(bytes);

    public static RequestSlot WriteCreate(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(FuseOpcode.Create, parent)
        .Argument(new fuse_create_in { flags = CreateFlags, mode = FileMode })
        .Name(name)
        .ExpectReply<fuse_entry_out>()
        .ExpectMore<fuse_open_out>();

    public static RequestSlot WriteMkDir(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(FuseOpcode.MkDir, parent)
        .Argument(new fuse_mkdir_in { mode = DirectoryMode })
        .Name(name)
        .ExpectReply<fuse_entry_out>();

    public static RequestSlot WriteLink(this RequestSlot slot, NodeId node, NodeId parent, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(FuseOpcode.Link, parent)
        .Argument(new fuse_link_in { oldnodeid = node.Value })
        .Name(name)
        .ExpectReply<fuse_entry_out>();

    /// <summary>Renames within a directory.</summary>
    public static RequestSlot WriteRename(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName) =>
        slot.BeginAsRoot(FuseOpcode.Rename, parent)
        .Argument(new fuse_rename_in { newdir = parent.Value })
        .Name(name)
        .Name(newName)
        .ExpectReply();

    public static RequestSlot WriteUnlink(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) =>
        WriteRemoval(slot, FuseOpcode.Unlink, parent, name);

    public static RequestSlot WriteRmDir(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) =>
        WriteRemoval(slot, FuseOpcode.RmDir, parent, name);

    /// <summary>The node of a reply to LOOKUP, CREATE, MKDIR or LINK.</summary>
    public static NodeId ReadNode(this RequestSlot slot) => new(slot.ReadReply<fuse_entry_out>().nodeid);

    /// <summary>The file of a reply to CREATE.</summary>
    public static unsafe OpenedFile ReadCreated(this RequestSlot slot) =>
        new(slot.ReadNode(), new FileHandle(slot.ReadReply<fuse_open_out>(sizeof(fuse_entry_out)).fh));

    /// <summary>The handle of a reply to OPEN or OPENDIR of <paramref name="node"/>.</summary>
    public static OpenedFile ReadOpened(this RequestSlot slot, NodeId node) =>
        new(node, new FileHandle(slot.ReadReply<fuse_open_out>().fh));

    private static RequestSlot BeginAsRoot(this RequestSlot slot, FuseOpcode opcode, NodeId node) =>
        slot.Begin(opcode, node, CallerIdentity.Root);

    private static RequestSlot WriteRelease(RequestSlot slot, FuseOpcode opcode, in OpenedFile file) =>
        slot.BeginAsRoot(opcode, file.Node).Argument(new fuse_release_in { fh = file.Handle.Value }).ExpectReply();

    private static RequestSlot WriteRemoval(RequestSlot slot, FuseOpcode opcode, NodeId parent, ReadOnlySpan<byte> name) =>
        slot.BeginAsRoot(opcode, parent).Name(name).ExpectReply();
}

/// <summary>A file or directory that somebody has open.</summary>
public readonly record struct OpenedFile(NodeId Node, FileHandle Handle);
