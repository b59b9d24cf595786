using System.Runtime.InteropServices;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>What a guest was given of the inside of a directory or a symlink: 16 bytes, which regular files do without.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal struct HeldContent
{
    public const int Bytes = 16;

    /// <summary>A name in the directory.</summary>
    public uint FirstChild;

    /// <summary>Of the listing or the target, as <see cref="HeldNode.AttributesSequence"/>.</summary>
    public uint Sequence;

    public ulong Given;
}
