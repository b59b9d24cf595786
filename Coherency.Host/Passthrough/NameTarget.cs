namespace Coherency.Host.Passthrough;

/// <summary>
/// What a name that is about to be removed or replaced stands for. It is disposed when no lock is held any more: that may close the
/// last descriptor of a removed file, and to give back the space of a large one takes long.
/// </summary>
internal ref struct NameTarget
{
    /// <summary>Empty when no session holds it.</summary>
    public PinnedInode Inode;

    public bool Exists;

    /// <summary>Its inode key, if it exists.</summary>
    public ulong Key;

    /// <summary>Keeps an inode that no session holds.</summary>
    public PinnedDescriptor Descriptor;

    /// <summary>Where <see cref="Inode"/> is kept, if it is.</summary>
    public KeptInodes? KeptIn;

    public void Dispose()
    {
        KeptIn?.Remove(Inode.Node);
        Descriptor.Dispose();
        Inode.Dispose();
    }
}
