using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>Starts an extension; <c>size</c> in bytes, header included, a multiple of 8.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_ext_header
{
    public uint size;
    public uint type;
}

/// <summary>Extension FUSE_EXT_GROUPS, followed by <c>nr_groups</c> group ids of 32 bits.</summary>
[StructLayout(LayoutKind.Sequential, Size = 4)]
public struct fuse_supp_groups
{
    public uint nr_groups;
}

/// <summary>Extension with security contexts.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_secctx_header
{
    public uint size;
    public uint nr_secctx;
}

/// <summary>One security context.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct fuse_secctx
{
    public uint size;
    public uint padding;
}
