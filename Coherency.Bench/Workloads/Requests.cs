using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Requests as a guest's kernel would send them, written into a slot with room for their reply; none allocates.</summary>
internal static class Requests
{
    private const uint FileMode = 0x81A4;
    private const uint DirectoryMode = 0x1ED;
    private const uint CreateFlags = OpenFlags.O_RDWR | OpenFlags.O_CREAT | OpenFlags.O_EXCL;

    /// <summary>FATTR_MODE of linux/fuse.h.</summary>
    private const uint ChangesMode = 1;

    public static void WriteLookup(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name)
    {
        slot.Begin(FuseOpcode.Lookup, parent, CallerIdentity.Root);
        slot.Name(name);
        slot.ExpectReply<fuse_entry_out>();
    }

    public static void WriteGetAttr(this RequestSlot slot, NodeId node)
    {
        slot.Begin(FuseOpcode.GetAttr, node, CallerIdentity.Root);
        slot.Argument(default(fuse_getattr_in));
        slot.ExpectReply<fuse_attr_out>();
    }

    /// <summary>Sets the permissions of a file.</summary>
    public static void WriteSetMode(this RequestSlot slot, NodeId node, uint permissions)
    {
        slot.Begin(FuseOpcode.SetAttr, node, CallerIdentity.Root);
        slot.Argument(new fuse_setattr_in { valid = ChangesMode, mode = (FileMode & ~0x1FFu) | permissions });
        slot.ExpectReply<fuse_attr_out>();
    }

    public static void WriteReadLink(this RequestSlot slot, NodeId node)
    {
        const int TargetBytes = 4096;
        slot.Begin(FuseOpcode.ReadLink, node, CallerIdentity.Root);
        slot.ExpectData(TargetBytes);
    }

    public static void WriteGetXattr(this RequestSlot slot, NodeId node, ReadOnlySpan<byte> name)
    {
        const int ValueBytes = 256;
        slot.Begin(FuseOpcode.GetXattr, node, CallerIdentity.Root);
        slot.Argument(new fuse_getxattr_in { size = ValueBytes });
        slot.Name(name);
        slot.ExpectData(ValueBytes);
    }

    public static void WriteStatFs(this RequestSlot slot)
    {
        slot.Begin(FuseOpcode.StatFs, NodeId.Root, CallerIdentity.Root);
        slot.ExpectReply<fuse_statfs_out>();
    }

    public static void WriteOpen(this RequestSlot slot, NodeId node, int flags = OpenFlags.O_RDONLY)
    {
        slot.Begin(FuseOpcode.Open, node, CallerIdentity.Root);
        slot.Argument(new fuse_open_in { flags = (uint)flags });
        slot.ExpectReply<fuse_open_out>();
    }

    public static void WriteOpenDir(this RequestSlot slot, NodeId node)
    {
        slot.Begin(FuseOpcode.OpenDir, node, CallerIdentity.Root);
        slot.Argument(new fuse_open_in { flags = OpenFlags.O_DIRECTORY });
        slot.ExpectReply<fuse_open_out>();
    }

    public static void WriteRead(this RequestSlot slot, in OpenFile file, ulong offset, int bytes)
    {
        slot.Begin(FuseOpcode.Read, file.Node, CallerIdentity.Root);
        slot.Argument(new fuse_read_in { fh = file.Handle.Value, offset = offset, size = (uint)bytes });
        slot.ExpectData(bytes);
    }

    public static void WriteWrite(this RequestSlot slot, in OpenFile file, ulong offset, int bytes)
    {
        slot.Begin(FuseOpcode.Write, file.Node, CallerIdentity.Root);
        slot.Argument(new fuse_write_in { fh = file.Handle.Value, offset = offset, size = (uint)bytes, flags = OpenFlags.O_RDWR });
        slot.SendData(bytes);
        slot.ExpectReply<fuse_write_out>();
    }

    public static void WriteFsync(this RequestSlot slot, in OpenFile file)
    {
        slot.Begin(FuseOpcode.Fsync, file.Node, CallerIdentity.Root);
        slot.Argument(new fuse_fsync_in { fh = file.Handle.Value });
        slot.ExpectReply();
    }

    public static void WriteRelease(this RequestSlot slot, in OpenFile file) => WriteRelease(slot, FuseOpcode.Release, file);

    public static void WriteReleaseDir(this RequestSlot slot, in OpenFile directory) => WriteRelease(slot, FuseOpcode.ReleaseDir, directory);

    /// <param name="opcode">ReadDir or ReadDirPlus.</param>
    public static void WriteReadDir(this RequestSlot slot, FuseOpcode opcode, in OpenFile directory, ulong offset, int bytes)
    {
        slot.Begin(opcode, directory.Node, CallerIdentity.Root);
        slot.Argument(new fuse_read_in { fh = directory.Handle.Value, offset = offset, size = (uint)bytes });
        slot.ExpectData(bytes);
    }

    public static void WriteCreate(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name)
    {
        slot.Begin(FuseOpcode.Create, parent, CallerIdentity.Root);
        slot.Argument(new fuse_create_in { flags = CreateFlags, mode = FileMode });
        slot.Name(name);
        slot.ExpectReply<fuse_entry_out>();
        slot.ExpectMore<fuse_open_out>();
    }

    public static void WriteMkDir(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name)
    {
        slot.Begin(FuseOpcode.MkDir, parent, CallerIdentity.Root);
        slot.Argument(new fuse_mkdir_in { mode = DirectoryMode });
        slot.Name(name);
        slot.ExpectReply<fuse_entry_out>();
    }

    public static void WriteLink(this RequestSlot slot, NodeId node, NodeId parent, ReadOnlySpan<byte> name)
    {
        slot.Begin(FuseOpcode.Link, parent, CallerIdentity.Root);
        slot.Argument(new fuse_link_in { oldnodeid = node.Value });
        slot.Name(name);
        slot.ExpectReply<fuse_entry_out>();
    }

    /// <summary>Renames within a directory.</summary>
    public static void WriteRename(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName)
    {
        slot.Begin(FuseOpcode.Rename, parent, CallerIdentity.Root);
        slot.Argument(new fuse_rename_in { newdir = parent.Value });
        slot.Name(name);
        slot.Name(newName);
        slot.ExpectReply();
    }

    public static void WriteUnlink(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) => WriteRemoval(slot, FuseOpcode.Unlink, parent, name);

    public static void WriteRmDir(this RequestSlot slot, NodeId parent, ReadOnlySpan<byte> name) => WriteRemoval(slot, FuseOpcode.RmDir, parent, name);

    /// <summary>The node of a reply to LOOKUP, CREATE, MKDIR or LINK.</summary>
    public static NodeId ReadNode(this RequestSlot slot) => new(slot.ReadReply<fuse_entry_out>().nodeid);

    /// <summary>The file of a reply to CREATE.</summary>
    public static unsafe OpenFile ReadCreated(this RequestSlot slot) =>
        new(slot.ReadNode(), new FileHandle(slot.ReadReply<fuse_open_out>(sizeof(fuse_entry_out)).fh));

    /// <summary>The handle of a reply to OPEN or OPENDIR of <paramref name="node"/>.</summary>
    public static OpenFile ReadOpened(this RequestSlot slot, NodeId node) => new(node, new FileHandle(slot.ReadReply<fuse_open_out>().fh));

    private static void WriteRelease(RequestSlot slot, FuseOpcode opcode, in OpenFile file)
    {
        slot.Begin(opcode, file.Node, CallerIdentity.Root);
        slot.Argument(new fuse_release_in { fh = file.Handle.Value });
        slot.ExpectReply();
    }

    private static void WriteRemoval(RequestSlot slot, FuseOpcode opcode, NodeId parent, ReadOnlySpan<byte> name)
    {
        slot.Begin(opcode, parent, CallerIdentity.Root);
        slot.Name(name);
        slot.ExpectReply();
    }
}

/// <summary>A file or directory that a lane has open.</summary>
internal readonly record struct OpenFile(NodeId Node, FileHandle Handle);
