using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>A byte range lock; <c>end</c> is inclusive, <c>type</c> one of F_RDLCK, F_WRLCK, F_UNLCK.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_file_lock
{
    public ulong start;
    public ulong end;
    public uint type;
    public uint pid;
}

/// <summary>FUSE_GETLK, FUSE_SETLK and FUSE_SETLKW request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
public struct fuse_lk_in
{
    public ulong fh;
    public ulong owner;
    public fuse_file_lock lk;
    public uint lk_flags;
    public uint padding;
}

/// <summary>FUSE_GETLK reply.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_lk_out
{
    public fuse_file_lock lk;
}

/// <summary>FUSE_INTERRUPT request.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_interrupt_in
{
    public ulong unique;
}
