using System.Runtime.InteropServices;

namespace Coherency.Core.Fuse.Abi;

// Layouts of linux/fuse.h, protocol 7.45, in its spelling.

/// <summary>A directory entry, followed by <c>namelen</c> bytes of name, padded to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fuse_dirent
{
    public ulong ino;
    public ulong off;
    public uint namelen;
    public uint type;
}

/// <summary>A directory entry with its attributes, followed by the name like <see cref="fuse_dirent"/>.</summary>
[StructLayout(LayoutKind.Sequential, Size = 152)]
public struct fuse_direntplus
{
    public fuse_entry_out entry_out;
    public fuse_dirent dirent;
}
