using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// One inode in the <see cref="InodeTable"/>, 56 bytes. Everything but <see cref="References"/> and <see cref="Fd"/> stays
/// as it is from the time the record is added until its last reference goes, so a holder of a reference reads it unlocked.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct InodeRecord
{
    public const int Bytes = 56;

    /// <summary>Longest handle kept here: ext4 8, xfs and tmpfs 12, btrfs 20. Longer ones go to a dictionary.</summary>
    public const int InlineHandleMax = 20;

    public ulong Node;
    public ulong Ino;

    /// <summary><see cref="FileIdentity.BirthFold"/>.</summary>
    public uint Birth;

    /// <summary>Sessions that hold it, plus requests and open files that use it now; 0 in a free record.</summary>
    public int References;

    /// <summary>An O_PATH descriptor that the record owns, or -1.</summary>
    public int Fd;

    public ushort HandleType;
    public ushort Mount;
    public byte HandleLength;
    public InodeRecordFlags Flags;

    /// <summary>S_IFMT of the mode.</summary>
    public ushort FileType;

    public InlineHandle Handle;

    [UnscopedRef]
    public ReadOnlySpan<byte> HandleBytes => ((ReadOnlySpan<byte>)Handle)[..HandleLength];

    public readonly bool IsSpilled => (Flags & InodeRecordFlags.Spilled) != 0;

    /// <summary>Do attributes found under a name belong to this inode?</summary>
    public readonly bool Matches(in statx attributes) =>
        Ino == attributes.stx_ino
        && Birth == FileIdentity.BirthFold(attributes)
        && FileType == (attributes.stx_mode & StatFlags.S_IFMT);

    [InlineArray(InlineHandleMax)]
    public struct InlineHandle
    {
        private byte _first;
    }
}

[Flags]
internal enum InodeRecordFlags : byte
{
    None = 0,

    /// <summary>The handle is in the shard's dictionary.</summary>
    Spilled = 1,
}
