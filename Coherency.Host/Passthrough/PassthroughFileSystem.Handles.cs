using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Inodes without a name, for clients that export the share (docs/version-table.md, "Handles").
public sealed unsafe partial class PassthroughFileSystem
{
    private readonly AwaitedNodes _awaited;

    public Errno LookupNode(NodeId node, out Entry entry)
    {
        PinnedInode inode = PinHeldOrAwaited(node);
        ulong found = inode.IsEmpty ? 0 : inode.Node;
        Errno errno = LookupNode(ref inode, out entry);
        // References are given back only now that its descriptor is not pinned any more: with the last one the cache closes it.
        if (errno == Errno.None)
        {
            _awaited.Remove(found);
        }

        inode.Dispose();
        return errno;
    }

    private Errno LookupNode(ref PinnedInode inode, out Entry entry)
    {
        entry = default;
        using PinnedDescriptor path = _share.OpenPath(inode);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        Errno errno = ReadAttributes(path.Fd, out statx attributes);
        return errno == Errno.None ? GrantUnnamed(ref inode, attributes, out entry) : errno;
    }

    public Errno LookupParent(NodeId node, out Entry entry)
    {
        entry = default;
        using PinnedInode directory = Pin(node);
        using PinnedDescriptor path = _share.OpenPath(directory);
        if (path.Errno != Errno.None || !directory.IsDirectory)
        {
            return path.Errno != Errno.None ? path.Errno : Errno.ENOTDIR;
        }

        // As ".." of the root of everything is.
        if (directory.Node == _share.RootKey)
        {
            return LookupNode(NodeId.Root, out entry);
        }

        Errno errno = _share.Resolver.ResolveParent(path.Fd, _share.RootFd, out statx attributes, out PinnedInode parent);
        errno = errno == Errno.None ? GrantUnnamed(ref parent, attributes, out entry) : errno;
        parent.Dispose();
        return errno;
    }

    public Errno GetHandle(NodeId node, Span<byte> handle, out int length)
    {
        length = 0;
        using PinnedInode inode = Pin(node);
        if (inode.IsEmpty)
        {
            return Errno.ESTALE;
        }

        Mount mount = _share.Mounts[inode.Mount];
        FileIdentity identity = inode.Identity();
        int needed = HandleSeal.HeaderBytes + identity.Length;
        // An inode that had to take another's id may get a third one the next time.
        if (!mount.UsesHandles || new NodeId(inode.Node).IsDisplaced || needed > VersionTableConstants.HandleBytesMax)
        {
            return Errno.ENODATA;
        }

        length = needed;
        if (handle.Length >= needed)
        {
            _share.Seal.Seal(mount, identity, handle);
            return Errno.None;
        }

        return handle.IsEmpty ? Errno.None : Errno.ERANGE;
    }

    public Errno FindByHandle(NodeId root, ReadOnlySpan<byte> handle, out NodeId node)
    {
        node = default;
        using PinnedInode top = Pin(root);
        if (top.IsEmpty || !TryOpenSeal(top.Mount, handle, out FileIdentity identity))
        {
            return Errno.ESTALE;
        }

        Errno errno = _share.Resolver.ResolveHandle(ref identity, out statx attributes, out PinnedInode inode);
        if (errno != Errno.None)
        {
            return errno;
        }

        // Removed, but somebody holds it still: who only has its handle does not.
        if (attributes.stx_nlink == 0)
        {
            inode.Dispose();
            return Errno.ESTALE;
        }

        node = NodeOnTheWire(inode);
        _awaited.Add(ref inode);
        inode.Dispose();
        return Errno.None;
    }

    /// <summary>A client sees each mount as a file system of its own, or all of them as one.</summary>
    private bool TryOpenSeal(ushort mount, ReadOnlySpan<byte> handle, out FileIdentity identity)
    {
        if (_share.Options.AnnounceSubmounts)
        {
            return _share.Seal.TryOpen(_share.Mounts[mount], handle, out identity);
        }

        foreach (Mount any in _share.Mounts.All)
        {
            if (_share.Seal.TryOpen(any, handle, out identity))
            {
                return true;
            }
        }

        identity = default;
        return false;
    }

    /// <summary>As <see cref="Pin"/>, and also what was named by handle just now.</summary>
    private PinnedInode PinHeldOrAwaited(NodeId node)
    {
        PinnedInode inode = Pin(node);
        return inode.IsEmpty && _awaited.Contains(node.Value) ? _share.Inodes.Pin(node.Value) : inode;
    }

    private NodeId NodeOnTheWire(scoped in PinnedInode inode) => inode.Node == _share.RootKey ? NodeId.Root : new NodeId(inode.Node);

    /// <summary>What was found without a name is not where a mount begins. The root is nobody's to give back.</summary>
    private Errno GrantUnnamed(ref PinnedInode inode, in statx attributes, out Entry entry)
    {
        if (inode.Node != _share.RootKey)
        {
            return Grant(ref inode, attributes, inode.Mount, hasSpellings: false, out entry);
        }

        entry = new Entry { Node = NodeId.Root, Attributes = attributes };
        return Errno.None;
    }
}
