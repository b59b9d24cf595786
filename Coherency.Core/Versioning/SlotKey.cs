namespace Coherency.Core.Versioning;

/// <summary>
/// What finds a slot of the version table: 64 bits of which the table takes as many low ones as it has slots for.
/// </summary>
public readonly record struct SlotKey(ulong Value)
{
    /// <summary>The slot that governs what is cached about an inode.</summary>
    public static SlotKey Inode(ulong inodeKey) => new(inodeKey);

    /// <summary>The slot that governs what is cached about a name in a directory, whether it exists or not.</summary>
    public static SlotKey Name(ulong parentKey, ReadOnlySpan<byte> name) => new(XxHash64.Hash(name, parentKey));
}
