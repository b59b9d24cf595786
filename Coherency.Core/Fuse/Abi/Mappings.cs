using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Parts of files in shared memory (linux/fuse.h).

/// <summary>FUSE_SETUPMAPPING request; offsets and <c>len</c> in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct fuse_setupmapping_in
{
    public ulong fh;
    public ulong foffset;
    public ulong len;
    public ulong flags;
    public ulong moffset;
}

/// <summary>Starts FUSE_REMOVEMAPPING, followed by <c>count</c> of the next.</summary>
[StructLayout(LayoutKind.Sequential, Size = 4)]
public struct fuse_removemapping_in
{
    public uint count;
}

[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_removemapping_one
{
    public ulong moffset;
    public ulong len;
}

/// <summary>FUSE_DEV_IOC_BACKING_OPEN: which file is behind those that are opened with the id that it answers.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_backing_map
{
    public int fd;
    public uint flags;
    public ulong padding;
}
