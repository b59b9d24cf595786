using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Paths;
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
        bool isDirectory = (node.Mode & StatFlags.S_IFMT) == StatFlags.S_IFDIR;
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(LockOf(directory, entryName));
        Errno errno;
        using (Mutate(OperationOf(node), [entryName, TouchedObject.Inode(directory.Key)]))
        {
            using (CredentialScope credentials = ThreadCredentials.Assume(caller))
            {
                node.Mode = ThreadCredentials.ModeFor(caller, path.Fd, node.Mode);
                errno = credentials.Errno == Errno.None ? MakeAt(path.Fd, name.Pointer, node).ToErrno() : credentials.Errno;
            }

            if (errno == Errno.None && caller.Labels is { } labels)
            {
                errno = NewLabels.SetByName(labels, path.Fd, name, isDirectory);
            }
        }

        if (errno == Errno.None)
        {
            RaiseName(FileEventKinds.Create, directory, name, 0, isDirectory);
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
        // SAFETY: an EntryName's, while the call runs that was given it.
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
            errno = errno == Errno.None ? Grant(ref inode, attributes, directory, out entry) : errno;
        }

        return errno;
    }

    private Errno LinkInto(in PinnedInode inode, int fd, in PinnedInode directory, int directoryFd, EntryName newName)
    {
        TouchedObject entryName = TouchedObject.NameIn(directory.Key, newName);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(LockOf(directory, entryName));
        Errno errno;
        using (Mutate(ChangeOperation.Link, [entryName, TouchedObject.Inode(directory.Key), TouchedObject.Inode(inode.Key)]))
        {
            // By the link in /proc, because AT_EMPTY_PATH asks for a capability; it leads to the inode, even if that is a symlink.
            ProcPath source = new(fd);
            errno = Libc.LinkAt(OpenFlags.AT_FDCWD, source.Pointer, directoryFd, newName.Pointer, OpenFlags.AT_SYMLINK_FOLLOW).ToErrno();
        }

        if (errno == Errno.None)
        {
            RaiseLinks(inode.Key);
            RaiseName(FileEventKinds.Create, directory, newName, inode.Key, isDirectory: false);
        }

        return errno;
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

        Errno errno = RemoveFrom(directory, path.Fd, name, flags, out NameTarget removed);
        removed.Dispose();
        return errno;
    }

    private Errno RemoveFrom(scoped in PinnedInode directory, int directoryFd, EntryName name, int flags, out NameTarget removed)
    {
        TouchedObject entryName = TouchedObject.NameIn(directory.Key, name);
        using NameLockScope nameLock = _share.Group.NameLocks.Enter(LockOf(directory, entryName));
        removed = _share.Resolver.Identify(directoryFd, name.Pointer);
        Errno errno = _share.KeepRemoved(ref removed, directoryFd, name);
        if (errno != Errno.None)
        {
            return errno;
        }

        ReadOnlySpan<TouchedObject> touched = [entryName, TouchedObject.Inode(directory.Key), TouchedObject.Inode(removed.Key)];
        _share.Options.Identified();
        using (Mutate(flags == 0 ? ChangeOperation.Unlink : ChangeOperation.RmDir, removed.Exists ? touched : touched[..2]))
        {
            errno = Libc.UnlinkAt(directoryFd, name.Pointer, flags).ToErrno();
        }

        if (errno == Errno.None)
        {
            RaiseName(FileEventKinds.Delete, directory, name, removed.Key, isDirectory: flags != 0);
        }

        return errno;
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

        Errno errno = Rename(
            caller, new NameIn(directory, path.Fd, name), new NameIn(newDirectory, newPath.Fd, newName), flags, out NameTarget replaced);
        replaced.Dispose();
        return errno;
    }

    private Errno Rename(in Caller caller, scoped in NameIn source, scoped in NameIn target, uint flags, out NameTarget replaced)
    {
        TouchedObject from = TouchedObject.NameIn(source.Directory.Key, source.Name);
        TouchedObject to = TouchedObject.NameIn(target.Directory.Key, target.Name);
        using NameLockScope nameLocks = _share.Group.NameLocks.Enter(LockOf(source.Directory, from), LockOf(target.Directory, to));
        using NameTarget moved = _share.Resolver.Identify(source.DirectoryFd, source.Name.Pointer);
        replaced = _share.Resolver.Identify(target.DirectoryFd, target.Name.Pointer);
        // A rename of one name of an inode to another one of it changes nothing.
        bool replaces = (flags & OpenFlags.RENAME_EXCHANGE) == 0 && moved.Key != replaced.Key;
        Errno errno = replaces ? _share.KeepRemoved(ref replaced, target.DirectoryFd, target.Name) : Errno.None;
        if (errno != Errno.None)
        {
            return errno;
        }

        Span<TouchedObject> touched = stackalloc TouchedObject[MutationScope.TouchedMax];
        int count = CollectTouchedByRename(touched, from, to, source.Directory.Key, target.Directory.Key, moved, replaced);
        _share.Options.Identified();
        // A client takes what it believed of the name along: here to or from where nothing may be believed.
        bool changesRule = _share.FoldsNames(source.Directory) != _share.FoldsNames(target.Directory);
        using (Mutate(flags == 0 ? ChangeOperation.Rename : ChangeOperation.Rename2, touched[..count], changesRule))
        {
            // A whiteout is a device node, which is made with the caller's ids.
            using CredentialScope credentials = (flags & OpenFlags.RENAME_WHITEOUT) != 0 ? ThreadCredentials.Assume(caller) : default;
            errno = credentials.Errno == Errno.None
                ? Libc.RenameAt2(source.DirectoryFd, source.Name.Pointer, target.DirectoryFd, target.Name.Pointer, flags).ToErrno()
                : credentials.Errno;
        }

        if (errno == Errno.None && !(replaced.Exists && moved.Key == replaced.Key))
        {
            RaiseRename(source, target, moved, replaced, exchanges: (flags & OpenFlags.RENAME_EXCHANGE) != 0);
        }

        return errno;
    }

    /// <summary>A name in a directory that the caller has pinned and opened.</summary>
    private readonly ref struct NameIn(PinnedInode directory, int directoryFd, EntryName name)
    {
        public readonly PinnedInode Directory = directory;

        public int DirectoryFd { get; } = directoryFd;

        public EntryName Name { get; } = name;
    }

    private static int CollectTouchedByRename(
        Span<TouchedObject> touched, TouchedObject from, TouchedObject to, ulong directory, ulong newDirectory, in NameTarget moved,
        in NameTarget replaced)
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
            errno = Grant(ref inode, attributes, directory, out entry);
            inode.Dispose();
        }
        else if (errno == Errno.ENOENT)
        {
            entry.HasSpellings = _share.FoldsNames(directory);
        }

        return errno;
    }
}
