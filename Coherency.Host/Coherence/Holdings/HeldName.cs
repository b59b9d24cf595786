using System.Runtime.InteropServices;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>A name that a guest was given, whether it exists or not: 52 bytes, and its own in the <see cref="NameArena"/>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct HeldName : IIndexedRecord<HeldName>
{
    public const int Bytes = 52;

    /// <summary>In the index.</summary>
    public uint Next;

    /// <summary>The lower half of the name's slot key.</summary>
    public uint Hash;

    /// <summary>The record of its directory.</summary>
    public uint Parent;

    /// <summary>The record that it leads to; 0 when the name does not exist.</summary>
    public uint Child;

    // Names of the same child, or names that do not exist: newest first.
    public uint NextOfChild;
    public uint PreviousOfChild;

    // Names in the same directory.
    public uint NextOfParent;
    public uint PreviousOfParent;

    public ulong Given;
    public uint Sequence;
    public uint Expiry;

    /// <summary>Where its bytes are; 0 in a record that is not in use.</summary>
    public uint Place;

    public static uint HashOf(in HeldName record) => record.Hash;

    public static ref uint NextOf(ref HeldName record) => ref record.Next;
}
