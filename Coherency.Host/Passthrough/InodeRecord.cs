using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// One inode in the <see cref="InodeTable"/>, 48 bytes. Everything but <see cref="References"/> and <see cref="Names"/> stays as it is
/// from the time the record is added and described until its last reference goes, so a holder of a reference reads it unlocked.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct InodeRecord
{
    public const int Bytes = 48;

    /// <summary>Longest handle kept here: ext4 8, xfs and tmpfs 12, btrfs 20. Longer ones go to a dictionary.</summary>
    public const int InlineHandleMax = 20;

    /// <summary>S_IFMT takes the other bits.</summary>
    public const ushort MountMask = 0xFFF;

    private const byte LengthMask = 0x3F;

    /// <summary>A length that no handle kept here has.</summary>
    private const byte Spilled = LengthMask;

    private const int NamesShift = 6;

    public ulong Node;

    /// <summary><see cref="FileIdentity.Fingerprint"/>.</summary>
    private ulong _fingerprint;

    /// <summary>Sessions that hold it, plus requests and open files that use it now; 0 in a free record.</summary>
    public int References;

    /// <summary>An O_PATH descriptor that the record owns, or -1.</summary>
    public int Fd;

    private ushort _mountAndType;

    /// <summary>The kernel's handle types are lower than the lower half of the one that stands for attributes.</summary>
    private readonly byte _handleType;

    /// <summary>And the rule for names, above <see cref="NamesShift"/>.</summary>
    private byte _handleLength;

    private InlineHandle _handle;

    /// <summary>Not yet described: it matches no attributes.</summary>
    public InodeRecord(ulong node, in FileIdentity identity, int fd)
    {
        Node = node;
        Fd = fd;
        _mountAndType = identity.Mount;
        _handleType = (byte)identity.Type;
        _handleLength = identity.Length <= InlineHandleMax ? (byte)identity.Length : Spilled;
        if (!IsSpilled)
        {
            identity.Bytes.CopyTo(_handle);
        }
    }

    public readonly ushort Mount => (ushort)(_mountAndType & MountMask);

    /// <summary>S_IFMT of the mode; 0 in one that is not described.</summary>
    public readonly uint FileType => _mountAndType & StatFlags.S_IFMT;

    public readonly ushort HandleType => _handleType == byte.MaxValue ? FileIdentity.AttributesType : _handleType;

    /// <summary>Of a handle that is not <see cref="IsSpilled"/>.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> HandleBytes => ((ReadOnlySpan<byte>)_handle)[..(_handleLength & LengthMask)];

    /// <summary>The handle is in the shard's dictionary.</summary>
    public readonly bool IsSpilled => (_handleLength & LengthMask) == Spilled;

    /// <summary>
    /// Of a directory, when it has been asked; several may write it at the same time, for all write the same.
    /// </summary>
    public NameRule Names
    {
        readonly get => (NameRule)(_handleLength >> NamesShift);
        set => _handleLength = (byte)((_handleLength & LengthMask) | ((byte)value << NamesShift));
    }

    /// <summary>
    /// Adds what attributes of this inode tell for good, unless it is known. Whoever adds a record does this before a client
    /// learns of it; several may at the same time, for all write the same.
    /// </summary>
    public void Describe(in statx attributes)
    {
        if (FileType != 0)
        {
            return;
        }

        _fingerprint = FileIdentity.Fingerprint(attributes);
        _mountAndType = (ushort)(Mount | (attributes.stx_mode & StatFlags.S_IFMT));
    }

    /// <summary>Do attributes found under a name belong to this inode?</summary>
    public readonly bool Matches(in statx attributes) =>
        _fingerprint == FileIdentity.Fingerprint(attributes) && FileType == (attributes.stx_mode & StatFlags.S_IFMT);

    [InlineArray(InlineHandleMax)]
    private struct InlineHandle
    {
        private byte _first;
    }
}
