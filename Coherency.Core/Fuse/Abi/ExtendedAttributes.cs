using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>FUSE_SETXATTR request, followed by name and value.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_setxattr_in
{
    public uint size;
    public uint flags;
    public uint setxattr_flags;
    public uint padding;
}

/// <summary>FUSE_GETXATTR and FUSE_LISTXATTR request, the former followed by the name.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_getxattr_in
{
    public uint size;
    public uint padding;
}

/// <summary>FUSE_GETXATTR and FUSE_LISTXATTR reply when the request's size was 0.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_getxattr_out
{
    public uint size;
    public uint padding;
}
