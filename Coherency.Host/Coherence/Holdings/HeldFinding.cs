using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>One thing that a guest holds, as a scan came upon it.</summary>
/// <param name="Node">The inode's id on the wire; 0 for a name that does not exist.</param>
/// <param name="Key">Of the slot that governs it.</param>
/// <param name="Given">The <see cref="HeldVersion"/> that it was given with.</param>
/// <param name="Now">The one that its slot has now.</param>
/// <param name="Sequence">The lower half of that of the first change that it may not contain; 0 when that is not known.</param>
/// <param name="Path">Null when the guest was not told a way to it that it still remembers.</param>
internal readonly record struct HeldFinding(
    HeldKind Kind, ulong Node, SlotKey Key, ulong Given, ulong Now, uint Sequence, string? Path)
{
    public bool IsStale => Given != Now;
}
