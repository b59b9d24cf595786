namespace Coherency.Host.Passthrough;

/// <summary>Learns what of the host a share comes to contain, before a client does.</summary>
internal interface IShareWatch
{
    /// <summary>Before the first inode of a mount is given to a client; one mount at a time.</summary>
    void AddMount(Mount mount);

    /// <summary>An inode is about to be given to a client, perhaps not for the first time.</summary>
    void AddInode(in PinnedInode inode);

    /// <summary>No client holds that inode any more. A shard's lock is held: nothing of the share may be called.</summary>
    void RemoveInode(ulong node);
}
