using System.Runtime.InteropServices;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// An inode that a guest was given and has not forgotten: 56 bytes. Given versions are <see cref="HeldVersion"/>s, sequences
/// the lower halves of those of the <see cref="Changes.ChangeLog"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct HeldNode : IIndexedRecord<HeldNode>
{
    public const int Bytes = 56;

    /// <summary>In the index; of a node that was forgotten and still has names, the next such one.</summary>
    public uint Next;

    /// <summary>The last given of the names that lead to it.</summary>
    public uint FirstName;

    /// <summary>A name in it, if it is a directory.</summary>
    public uint FirstChild;

    /// <summary>How often it was given and not forgotten.</summary>
    public uint Lookups;

    /// <summary>Its id on the wire; 0 in a record that is not in use, or whose node was forgotten.</summary>
    public ulong Node;

    public ulong AttributesGiven;

    /// <summary>Of a symlink's target or a directory's listing.</summary>
    public ulong ContentGiven;

    public uint AttributesSequence;
    public uint ContentSequence;
    public uint AttributesExpiry;

    /// <summary>S_IFMT of its mode; 0 until it is known.</summary>
    public ushort FileType;

    public ushort Reserved;

    public static uint HashOf(in HeldNode record) => HashOf(record.Node);

    public static uint HashOf(ulong node) => (uint)(node ^ (node >> 32));

    public static ref uint NextOf(ref HeldNode record) => ref record.Next;
}
