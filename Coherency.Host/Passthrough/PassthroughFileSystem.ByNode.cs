using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Clients that do without opens (docs/version-table.md, "Attaching"): each request finds its descriptor by node.
public sealed unsafe partial class PassthroughFileSystem
{
    private const int OpenedByNode = OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY;

    private volatile bool _withoutOpens;

    public bool IsReadOnly => false;

    public bool TryDoWithoutOpens()
    {
        _withoutOpens = _withoutOpens || _share.TryServeByNode();
        return _withoutOpens;
    }

    public void KeepOpened(NodeId node)
    {
        if (!_withoutOpens || node == NodeId.Root)
        {
            return;
        }

        using PinnedInode inode = Pin(node);
        // Inodes that own a descriptor stay anyway.
        if (inode.IsEmpty || inode.OwnFd >= 0)
        {
            return;
        }

        _keeps.KeepOpened(inode);
        ForgetUnlessHeld(inode);
    }

    public void LetClosed(NodeId node)
    {
        _keeps.LetClosed(node.Value);
        Events.NoteClosed(this, node.Value);
    }

    private bool IsByNode(FileTarget file) => _withoutOpens && !file.HasHandle;

    /// <summary>A descriptor to read a file by, which may be any that is open for reading.</summary>
    /// <param name="exactly">Which of <see cref="DescriptorFlags"/> it must have as the client's open file has them now.</param>
    private FileUse UseForReading(FileTarget file, int exactly = 0)
    {
        int flags = HostFlags(file.OpenFlags) & exactly;
        if (!IsByNode(file))
        {
            return UseHandle(file.Handle, flags, exactly);
        }

        PinnedInode inode = Pin(file.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        if (errno != Errno.None)
        {
            return new FileUse(inode, PinnedDescriptor.Failed(errno));
        }

        // The one that is kept has none of these flags. Where the host refuses them, it has to do.
        PinnedDescriptor special = flags != 0
            ? _share.OpenOnce(inode, OpenFlags.O_RDONLY | OpenedByNode | flags)
            : PinnedDescriptor.Failed(Errno.EINVAL);
        return new FileUse(inode, special.Errno == Errno.None ? special : _share.OpenReadable(inode, OpenedByNode));
    }

    /// <summary>The descriptor of a handle; or another of the same file, if that one's flags are not those that are wanted.</summary>
    private FileUse UseHandle(FileHandle handle, int flags, int exactly)
    {
        HandleUse use = _handles.Use(handle, HandleKind.File);
        Errno errno = use.IsEmpty ? Errno.EBADF : use.File.Wake();
        if (errno != Errno.None || (use.File.Flags & exactly) == flags)
        {
            return new FileUse(use, errno);
        }

        PinnedDescriptor other = _share.OpenAgain(use.File.Fd, (use.File.Flags & OpenFlags.O_ACCMODE) | OpenedByNode | flags);
        return other.Errno == Errno.None ? new FileUse(use, other) : new FileUse(use, Errno.None);
    }

    /// <summary>
    /// A descriptor to change a file by. One by node is closed with the request: while a file is open for writing, no program of
    /// the host can execute it.
    /// </summary>
    /// <param name="exactly">As for <see cref="UseForReading"/>.</param>
    private FileUse UseForWriting(FileTarget file, int exactly = 0)
    {
        int flags = HostFlags(file.OpenFlags) & exactly;
        if (!IsByNode(file))
        {
            return UseHandle(file.Handle, flags, exactly);
        }

        PinnedInode inode = Pin(file.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        if (errno != Errno.None)
        {
            return new FileUse(inode, PinnedDescriptor.Failed(errno));
        }

        int wanted = OpenFlags.O_RDWR | OpenedByNode | (file.OpenFlags & OpenFlags.O_APPEND);
        PinnedDescriptor opened = _share.OpenOnce(inode, wanted | flags);
        return new FileUse(inode, opened.Errno == Errno.EINVAL && flags != 0 ? _share.OpenOnce(inode, wanted) : opened);
    }

    /// <summary>
    /// A descriptor of a directory. One by node is closed with the request: it has a position, which readers must not share, and
    /// a new one costs little beside what is read.
    /// </summary>
    private FileUse UseDirectory(FileTarget directory)
    {
        if (!IsByNode(directory))
        {
            HandleUse use = _handles.Use(directory.Handle, HandleKind.Directory);
            return new FileUse(use, use.IsEmpty ? Errno.EBADF : Errno.None);
        }

        PinnedInode inode = Pin(directory.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : inode.IsDirectory ? Errno.None : Errno.ENOTDIR;
        return new FileUse(
            inode, errno == Errno.None
                ? _share.OpenOnce(inode, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)
                : PinnedDescriptor.Failed(errno));
    }

    /// <summary>
    /// After a change by node, whose descriptor closes unseen: what a mount of another machine's files below the share reports at
    /// close.
    /// </summary>
    private Errno CheckClosed(in FileUse file, Errno errno) =>
        errno == Errno.None && file.Opened is null && !_share.Mounts[file.Mount].IsLocal ? CloseDuplicate(file.Fd) : errno;
}
