using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>FUSE_OPEN and FUSE_OPENDIR request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_open_in
{
    public uint flags;
    public uint open_flags;
}

/// <summary>FUSE_CREATE and FUSE_TMPFILE request, followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_create_in
{
    public uint flags;
    public uint mode;
    public uint umask;
    public uint open_flags;
}

/// <summary>FUSE_OPEN and FUSE_OPENDIR reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_open_out
{
    public ulong fh;
    public uint open_flags;
    public int backing_id;
}

/// <summary>FUSE_RELEASE and FUSE_RELEASEDIR request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_release_in
{
    public ulong fh;
    public uint flags;
    public uint release_flags;
    public ulong lock_owner;
}

/// <summary>FUSE_FLUSH request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_flush_in
{
    public ulong fh;
    public uint unused;
    public uint padding;
    public ulong lock_owner;
}

/// <summary>FUSE_FSYNC and FUSE_FSYNCDIR request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_fsync_in
{
    public ulong fh;
    public uint fsync_flags;
    public uint padding;
}

/// <summary>FUSE_READ, FUSE_READDIR and FUSE_READDIRPLUS request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct fuse_read_in
{
    public ulong fh;
    public ulong offset;
    public uint size;
    public uint read_flags;
    public ulong lock_owner;
    public uint flags;
    public uint padding;
}

/// <summary>FUSE_WRITE request, followed by <c>size</c> bytes of data.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct fuse_write_in
{
    public ulong fh;
    public ulong offset;
    public uint size;
    public uint write_flags;
    public ulong lock_owner;
    public uint flags;
    public uint padding;
}

/// <summary>FUSE_WRITE and FUSE_COPY_FILE_RANGE reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_write_out
{
    public uint size;
    public uint padding;
}

/// <summary>FUSE_FALLOCATE request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct fuse_fallocate_in
{
    public ulong fh;
    public ulong offset;
    public ulong length;
    public uint mode;
    public uint padding;
}

/// <summary>FUSE_LSEEK request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_lseek_in
{
    public ulong fh;
    public ulong offset;
    public uint whence;
    public uint padding;
}

/// <summary>FUSE_LSEEK reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_lseek_out
{
    public ulong offset;
}

/// <summary>FUSE_COPY_FILE_RANGE request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 56)]
public struct fuse_copy_file_range_in
{
    public ulong fh_in;
    public ulong off_in;
    public ulong nodeid_out;
    public ulong fh_out;
    public ulong off_out;
    public ulong len;
    public ulong flags;
}

/// <summary>FUSE_COPY_FILE_RANGE_64 reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_copy_file_range_out
{
    public ulong bytes_copied;
}

/// <summary>FUSE_SYNCFS request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_syncfs_in
{
    public ulong padding;
}
