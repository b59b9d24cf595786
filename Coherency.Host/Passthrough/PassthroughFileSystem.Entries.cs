using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Names: finding, making, removing and renaming them.
public sealed unsafe partial class PassthroughFileSystem
{
    private const uint RenameFlags = OpenFlags.RENAME_NOREPLACE | OpenFlags.RENAME_EXCHANGE | OpenFlags.RENAME_WHITEOUT;

    /// <summary>Permissions, set-id bits and the sticky bit of a mode.</summary>
    private const uint ModeBits = 0xFFF;

    public Errno Lookup(NodeId parent, EntryName name, out Entry entry)
    {
        entry = default;
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        return path.Errno == Errno.None ? LookUpIn(directory, path.Fd, name, out entry) : path.Errno;
    }

    public Errno Symlink(in Caller caller, NodeId parent, EntryName name, EntryName target, out Entry entry) =>
        Make(caller, parent, name, new NewNode { Mode = StatFlags.S_IFLNK, Target = target.Pointer }, out entry);

    public Errno MakeNode(in Caller caller, NodeId parent, EntryName name, uint mode, uint device, out Entry entry)
    {
        entry = default;
        // As mknod(2) answers: a directory is made otherwise.
        return (mode & StatFlags.S_IFMT) == StatFlags.S_IFDIR
            ? Errno.EPERM
            : Make(caller, parent, name, new NewNode { Mode = mode, Device = device }, out entry);
    }

    public Errno MakeDirectory(in Caller caller, NodeId parent, EntryName name, uint mode, out Entry entry) =>
        Make(caller, parent, name, new NewNode { Mode = StatFlags.S_IFDIR | (mode & ModeBits) }, out entry);

    private Errno Make(in Caller caller, NodeId parent, EntryName name, NewNode node, out Entry entry)
    {
        entry = default;
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        TouchedObject entryName = TouchedObject.NameIn(directory.Key, name);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(entryName.Slot);
        Errno errno;
        using (Mutate(OperationOf(node), [entryName, TouchedObject.Inode(directory.Key)]))
        {
            using CredentialScope credentials = ThreadCredentials.Assume(caller);
            errno = credentials.Errno == Errno.None ? MakeAt(path.Fd, name.Pointer, node).ToErrno() : credentials.Errno;
        }

        return errno == Errno.None ? LookUpIn(directory, path.Fd, name, out entry) : errno;
    }

    private static ChangeOperation OperationOf(NewNode node) => (node.Mode & StatFlags.S_IFMT) switch
    {
        StatFlags.S_IFDIR => ChangeOperation.MkDir,
        StatFlags.S_IFLNK => ChangeOperation.Symlink,
        _ => ChangeOperation.MkNod,
    };

    private static int MakeAt(int directoryFd, byte* name, NewNode node) => (node.Mode & StatFlags.S_IFMT) switch
    {
        StatFlags.S_IFDIR => Libc.MkDirAt(directoryFd, name, node.Mode & ModeBits),
        StatFlags.S_IFLNK => node.Target is null ? -(int)Errno.EINVAL : Libc.SymlinkAt(node.Target, directoryFd, name),
        _ => Libc.MkNodAt(directoryFd, name, node.Mode, node.Device),
    };

    /// <summary>What is to be made under a new name; its type is in the mode.</summary>
    private struct NewNode
    {
        public uint Mode;
        public uint Device;
        public byte* Target;
    }

    public Errno Link(NodeId node, NodeId newParent, EntryName newName, out Entry entry)
    {
        PinnedInode inode = Pin(node);
        Errno errno = Link(ref inode, newParent, newName, out entry);
        // Only now that its descriptor is not pinned any more: with the last reference the cache closes it.
        inode.Dispose();
        return errno;
    }

    private Errno Link(ref PinnedInode inode, NodeId newParent, EntryName newName, out Entry entry)
    {
        entry = default;
        using PinnedDescriptor source = _share.OpenPath(inode);
        using PinnedInode directory = Pin(newParent);
        using PinnedDescriptor target = _share.OpenPath(directory);
        Errno errno = source.Errno != Errno.None ? source.Errno : target.Errno;
        if (errno == Errno.None)
        {
            errno = LinkInto(inode, source.Fd, directory, target.Fd, newName);
        }

        if (errno == Errno.None)
        {
            errno = ReadAttributes(source.Fd, out statx attributes);
            entry = errno == Errno.None ? Grant(ref inode, attributes, directory.Mount) : default;
        }

        return errno;
    }

    private Errno LinkInto(in PinnedInode inode, int fd, in PinnedInode directory, int directoryFd, EntryName newName)
    {
        TouchedObject entryName = TouchedObject.NameIn(directory.Key, newName);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(entryName.Slot);
        using MutationScope scope = Mutate(ChangeOperation.Link, [entryName, TouchedObject.Inode(directory.Key), TouchedObject.Inode(inode.Key)]);
        // By the link in /proc, because AT_EMPTY_PATH asks for a capability; it leads to the inode, even if that is a symlink.
        ProcPath source = new(fd);
        return Libc.LinkAt(OpenFlags.AT_FDCWD, source.Pointer, directoryFd, newName.Pointer, OpenFlags.AT_SYMLINK_FOLLOW).ToErrno();
    }

    public Errno Unlink(NodeId parent, EntryName name) => Remove(parent, name, 0);

    public Errno RemoveDirectory(NodeId parent, EntryName name) => Remove(parent, name, OpenFlags.AT_REMOVEDIR);

    private Errno Remove(NodeId parent, EntryName name, int flags)
    {
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        if (path.Errno != Errno.None)
        {
            return path.Errno;
        }

        TouchedObject entryName = TouchedObject.NameIn(directory.Key, name);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(entryName.Slot);
        using NameTarget removed = _share.Resolver.Identify(path.Fd, name.Pointer);
        _share.KeepUsable(removed.Inode);
        ReadOnlySpan<TouchedObject> touched = [entryName, TouchedObject.Inode(directory.Key), TouchedObject.Inode(removed.Key)];
        using MutationScope scope = Mutate(flags == 0 ? ChangeOperation.Unlink : ChangeOperation.RmDir, removed.Exists ? touched : touched[..2]);
        return Libc.UnlinkAt(path.Fd, name.Pointer, flags).ToErrno();
    }

    public Errno Rename(in Caller caller, NodeId parent, EntryName name, NodeId newParent, EntryName newName, uint flags)
    {
        using PinnedInode directory = Pin(parent);
        using PinnedDescriptor path = _share.OpenPath(directory);
        using PinnedInode newDirectory = Pin(newParent);
        using PinnedDescriptor newPath = _share.OpenPath(newDirectory);
        if (path.Errno != Errno.None || newPath.Errno != Errno.None)
        {
            return path.Errno != Errno.None ? path.Errno : newPath.Errno;
        }

        if ((flags & ~RenameFlags) != 0)
        {
            return Errno.EINVAL;
        }

        TouchedObject from = TouchedObject.NameIn(directory.Key, name);
        TouchedObject to = TouchedObject.NameIn(newDirectory.Key, newName);
        using NameLockScope nameLocks = _share.Group.NameLocks.Enter(from.Slot, to.Slot);
        using NameTarget moved = _share.Resolver.Identify(path.Fd, name.Pointer);
        using NameTarget replaced = _share.Resolver.Identify(newPath.Fd, newName.Pointer);
        if ((flags & OpenFlags.RENAME_EXCHANGE) == 0)
        {
            _share.KeepUsable(replaced.Inode);
        }

        Span<TouchedObject> touched = stackalloc TouchedObject[MutationScope.TouchedMax];
        int count = CollectTouchedByRename(touched, from, to, directory.Key, newDirectory.Key, moved, replaced);
        using MutationScope scope = Mutate(flags == 0 ? ChangeOperation.Rename : ChangeOperation.Rename2, touched[..count]);
        // A whiteout is a device node, which is made with the caller's ids.
        using CredentialScope credentials = (flags & OpenFlags.RENAME_WHITEOUT) != 0 ? ThreadCredentials.Assume(caller) : default;
        return credentials.Errno == Errno.None
            ? Libc.RenameAt2(path.Fd, name.Pointer, newPath.Fd, newName.Pointer, flags).ToErrno()
            : credentials.Errno;
    }

    private static int CollectTouchedByRename(
        Span<TouchedObject> touched, TouchedObject from, TouchedObject to, ulong directory, ulong newDirectory, in NameTarget moved, in NameTarget replaced)
    {
        touched[0] = from;
        touched[1] = to;
        touched[2] = TouchedObject.Inode(directory);
        touched[3] = TouchedObject.Inode(newDirectory);
        int count = 4;
        if (moved.Exists)
        {
            touched[count++] = TouchedObject.Inode(moved.Key);
        }

        if (replaced.Exists)
        {
            touched[count++] = TouchedObject.Inode(replaced.Key);
        }

        return count;
    }

    private Errno LookUpIn(scoped in PinnedInode directory, int directoryFd, EntryName name, out Entry entry)
    {
        entry = default;
        Errno errno = _share.Resolver.Resolve(directoryFd, name.Pointer, out statx attributes, out PinnedInode inode);
        if (errno == Errno.None)
        {
            entry = Grant(ref inode, attributes, directory.Mount);
            inode.Dispose();
        }

        return errno;
    }
}
