namespace Coherency.Host.Passthrough;

/// <summary>What a name that is about to be removed or replaced stands for.</summary>
internal ref struct NameTarget
{
    /// <summary>Empty when no session holds it.</summary>
    public PinnedInode Inode;

    public bool Exists;

    /// <summary>Its inode key, if it exists.</summary>
    public ulong Key;

    public void Dispose() => Inode.Dispose();
}
