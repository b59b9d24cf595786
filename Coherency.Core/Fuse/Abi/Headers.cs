using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>Starts every request. <c>len</c> counts header, arguments and extensions, in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct fuse_in_header
{
    public uint len;
    public uint opcode;
    public ulong unique;
    public ulong nodeid;
    public uint uid;
    public uint gid;
    public uint pid;
    public ushort total_extlen;
    public ushort padding;
}

/// <summary>Starts every reply. <c>error</c> is 0 or a negative errno; <c>len</c> in bytes, this header included.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct fuse_out_header
{
    public uint len;
    public int error;
    public ulong unique;
}
