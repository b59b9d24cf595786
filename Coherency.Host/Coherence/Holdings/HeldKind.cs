namespace Coherency.Host.Coherence.Holdings;

/// <summary>What kind of thing a guest holds. An inode may be held in several ways, each an entry of its own.</summary>
public enum HeldKind
{
    /// <summary>A name that leads to an inode.</summary>
    Name,

    /// <summary>A name that does not exist.</summary>
    AbsentName,

    Attributes,

    /// <summary>The target of a symbolic link.</summary>
    SymlinkTarget,

    /// <summary>The listing of a directory.</summary>
    Listing,
}

/// <summary>A set of <see cref="HeldKind"/>.</summary>
[Flags]
public enum HeldKinds
{
    None = 0,
    Name = 1 << HeldKind.Name,
    AbsentName = 1 << HeldKind.AbsentName,
    Attributes = 1 << HeldKind.Attributes,
    SymlinkTarget = 1 << HeldKind.SymlinkTarget,
    Listing = 1 << HeldKind.Listing,
    All = Name | AbsentName | Attributes | SymlinkTarget | Listing,
}
