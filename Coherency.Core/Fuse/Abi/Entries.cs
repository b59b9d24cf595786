using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>Reply of every operation that returns a directory entry; <c>nodeid</c> 0 is a negative entry.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
public struct fuse_entry_out
{
    public ulong nodeid;
    public ulong generation;
    public ulong entry_valid;
    public ulong attr_valid;
    public uint entry_valid_nsec;
    public uint attr_valid_nsec;
    public fuse_attr attr;
}

/// <summary>FUSE_FORGET request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_forget_in
{
    public ulong nlookup;
}

/// <summary>One element of FUSE_BATCH_FORGET.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_forget_one
{
    public ulong nodeid;
    public ulong nlookup;
}

/// <summary>FUSE_BATCH_FORGET request, followed by <c>count</c> elements.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_batch_forget_in
{
    public uint count;
    public uint dummy;
}

/// <summary>FUSE_MKNOD request, followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_mknod_in
{
    public uint mode;
    public uint rdev;
    public uint umask;
    public uint padding;
}

/// <summary>FUSE_MKDIR request, followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_mkdir_in
{
    public uint mode;
    public uint umask;
}

/// <summary>FUSE_RENAME request, followed by the old and the new name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_rename_in
{
    public ulong newdir;
}

/// <summary>FUSE_RENAME2 request, followed by the old and the new name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_rename2_in
{
    public ulong newdir;
    public uint flags;
    public uint padding;
}

/// <summary>FUSE_LINK request, followed by the new name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_link_in
{
    public ulong oldnodeid;
}
