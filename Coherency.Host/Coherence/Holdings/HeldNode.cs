using System.Runtime.InteropServices;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// An inode that a guest was given and has not forgotten: 40 bytes. Given versions are <see cref="HeldVersion"/>s, sequences
/// the lower halves of those of the <see cref="Changes.ChangeLog"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct HeldNode : IIndexedRecord<HeldNode>
{
    public const int Bytes = 40;

    /// <summary>Numbers of <see cref="HeldContent"/>s stay below this.</summary>
    public const uint ContentsEnd = 1u << ContentBits;

    private const int ContentBits = 28;
    private const int FileTypeShift = 12;

    /// <summary>In the index; of a node that was forgotten and still has names, the next such one.</summary>
    public uint Next;

    /// <summary>The last given of the names that lead to it.</summary>
    public uint FirstName;

    /// <summary>Above <see cref="ContentBits"/> the type, below them <see cref="Content"/>.</summary>
    private uint _typeAndContent;

    /// <summary>How often it was given and not forgotten.</summary>
    public uint Lookups;

    /// <summary>Its id on the wire; 0 in a record that is not in use, or whose node was forgotten.</summary>
    public ulong Node;

    public ulong AttributesGiven;
    public uint AttributesSequence;
    public uint AttributesExpiry;

    /// <summary>S_IFMT of its mode; 0 until it is known.</summary>
    public uint FileType
    {
        readonly get => _typeAndContent >> ContentBits << FileTypeShift;
        set => _typeAndContent = Content | (value >> FileTypeShift << ContentBits);
    }

    /// <summary>The record of what is known of its inside; 0 as long as that is nothing, as of all but directories and symlinks.</summary>
    public uint Content
    {
        readonly get => _typeAndContent & (ContentsEnd - 1);
        set => _typeAndContent = (_typeAndContent & ~(ContentsEnd - 1)) | value;
    }

    public void SetAttributes(in HeldStamp stamp)
    {
        AttributesGiven = stamp.Given;
        AttributesSequence = stamp.Sequence;
        AttributesExpiry = stamp.Expiry;
    }

    public static uint HashOf(in HeldNode record) => HashOf(record.Node);

    public static uint HashOf(ulong node) => (uint)(node ^ (node >> 32));

    public static ref uint NextOf(ref HeldNode record) => ref record.Next;
}
