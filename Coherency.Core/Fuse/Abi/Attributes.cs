using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>Attributes of an inode; times in seconds and nanoseconds, <c>blocks</c> of 512 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 88)]
public struct fuse_attr
{
    public ulong ino;
    public ulong size;
    public ulong blocks;
    public ulong atime;
    public ulong mtime;
    public ulong ctime;
    public uint atimensec;
    public uint mtimensec;
    public uint ctimensec;
    public uint mode;
    public uint nlink;
    public uint uid;
    public uint gid;
    public uint rdev;
    public uint blksize;
    public uint flags;
}

/// <summary>FUSE_GETATTR and FUSE_SETATTR reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 104)]
public struct fuse_attr_out
{
    public ulong attr_valid;
    public uint attr_valid_nsec;
    public uint dummy;
    public fuse_attr attr;
}

/// <summary>FUSE_GETATTR request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_getattr_in
{
    public uint getattr_flags;
    public uint dummy;
    public ulong fh;
}

/// <summary>FUSE_SETATTR request; <c>valid</c> says which fields count.</summary>
[StructLayout(LayoutKind.Sequential, Size = 88)]
public struct fuse_setattr_in
{
    public uint valid;
    public uint padding;
    public ulong fh;
    public ulong size;
    public ulong lock_owner;
    public ulong atime;
    public ulong mtime;
    public ulong ctime;
    public uint atimensec;
    public uint mtimensec;
    public uint ctimensec;
    public uint mode;
    public uint unused4;
    public uint uid;
    public uint gid;
    public uint unused5;
}

/// <summary>A time stamp of <see cref="fuse_statx"/>.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_sx_time
{
    public long tv_sec;
    public uint tv_nsec;
    public int __reserved;
}

/// <summary>Bit for bit the kernel's struct statx.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
public unsafe struct fuse_statx
{
    public uint mask;
    public uint blksize;
    public ulong attributes;
    public uint nlink;
    public uint uid;
    public uint gid;
    public ushort mode;
    public fixed ushort __spare0[1];
    public ulong ino;
    public ulong size;
    public ulong blocks;
    public ulong attributes_mask;
    public fuse_sx_time atime;
    public fuse_sx_time btime;
    public fuse_sx_time ctime;
    public fuse_sx_time mtime;
    public uint rdev_major;
    public uint rdev_minor;
    public uint dev_major;
    public uint dev_minor;
    public fixed ulong __spare2[14];
}

/// <summary>FUSE_STATX request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_statx_in
{
    public uint getattr_flags;
    public uint reserved;
    public ulong fh;
    public uint sx_flags;
    public uint sx_mask;
}

/// <summary>FUSE_STATX reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 288)]
public unsafe struct fuse_statx_out
{
    public ulong attr_valid;
    public uint attr_valid_nsec;
    public uint flags;
    public fixed ulong spare[2];
    public fuse_statx stat;
}

/// <summary>FUSE_ACCESS request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_access_in
{
    public uint mask;
    public uint padding;
}

/// <summary>File system statistics; counts in units of <c>frsize</c> bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 80)]
public unsafe struct fuse_kstatfs
{
    public ulong blocks;
    public ulong bfree;
    public ulong bavail;
    public ulong files;
    public ulong ffree;
    public uint bsize;
    public uint namelen;
    public uint frsize;
    public uint padding;
    public fixed uint spare[6];
}

/// <summary>FUSE_STATFS reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 80)]
public struct fuse_statfs_out
{
    public fuse_kstatfs st;
}
