namespace Coherency.Core.Fuse;

/// <summary>
/// Names an inode on the wire. The daemon uses the inode's 64 bit key as its node id, except for the share's root.
/// </summary>
public readonly record struct NodeId(ulong Value)
{
    /// <summary>The share's root directory: FUSE_ROOT_ID.</summary>
    public static readonly NodeId Root = new(1);

    /// <summary>
    /// Marks ids that are not their inode's key, because another inode has it. No key has all of these bits. What a client
    /// knows of such an inode, or of a name in such a directory, no slot of the version table governs: it must not be cached.
    /// </summary>
    public const ulong DisplacedMark = 0xFFFFUL << 42;

    public bool IsDisplaced => (Value & DisplacedMark) == DisplacedMark;

    public override string ToString() => $"{Value:x}";
}

/// <summary>Names an open file or directory of one session (<c>fh</c> on the wire).</summary>
public readonly record struct FileHandle(ulong Value);
