using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>FUSE_NOTIFY_INVAL_INODE.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_notify_inval_inode_out
{
    public ulong ino;
    public long off;
    public long len;
}

/// <summary>FUSE_NOTIFY_INVAL_ENTRY, followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_notify_inval_entry_out
{
    public ulong parent;
    public uint namelen;
    public uint flags;
}

/// <summary>FUSE_NOTIFY_DELETE, followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_notify_delete_out
{
    public ulong parent;
    public ulong child;
    public uint namelen;
    public uint padding;
}
