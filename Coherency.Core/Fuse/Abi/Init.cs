using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>FUSE_INIT request: what the client speaks.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public unsafe struct fuse_init_in
{
    public uint major;
    public uint minor;
    public uint max_readahead;
    public uint flags;
    public uint flags2;
    public fixed uint unused[11];
}

/// <summary>FUSE_INIT reply: what was agreed.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public unsafe struct fuse_init_out
{
    public uint major;
    public uint minor;
    public uint max_readahead;
    public uint flags;
    public ushort max_background;
    public ushort congestion_threshold;
    public uint max_write;
    public uint time_gran;
    public ushort max_pages;
    public ushort map_alignment;
    public uint flags2;
    public uint max_stack_depth;
    public ushort request_timeout;
    public fixed ushort unused[11];
}
