using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Clients that do without opens (docs/version-table.md, "Attaching"): each request finds its descriptor by node.
public sealed unsafe partial class PassthroughFileSystem
{
    private const int OpenedByNode = OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY;

    /// <summary>What of a guest's open flags means something for a single write.</summary>
    private const int KeptWriteFlags = OpenFlags.O_APPEND | OpenFlags.O_SYNC | OpenFlags.O_DIRECT;

    private readonly OpenedNodes _opened;
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

        _opened.Add(_share, inode);
        if (!_references.Contains(inode.Number))
        {
            // Forgotten at the same time: whoever came second takes it away.
            _opened.Remove(node.Value);
        }
    }

    public void LetClosed(NodeId node) => _opened.Remove(node.Value);

    private bool IsByNode(FileTarget file) => _withoutOpens && !file.HasHandle;

    /// <summary>A descriptor to read a file by, which may be any that is open for reading.</summary>
    private FileUse UseForReading(FileTarget file)
    {
        if (!IsByNode(file))
        {
            return new FileUse(_handles.Use(file.Handle, HandleKind.File));
        }

        PinnedInode inode = Pin(file.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        return new FileUse(inode, errno == Errno.None ? _share.OpenReadable(inode, OpenedByNode) : PinnedDescriptor.Failed(errno));
    }

    /// <summary>
    /// A descriptor to change a file by. One by node is closed with the request: while a file is open for writing, no program of
    /// the host can execute it.
    /// </summary>
    /// <param name="openFlags">O_* of the client's open file.</param>
    private FileUse UseForWriting(FileTarget file, int openFlags)
    {
        if (!IsByNode(file))
        {
            return new FileUse(_handles.Use(file.Handle, HandleKind.File));
        }

        PinnedInode inode = Pin(file.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : CheckIsFile(inode);
        int flags = (HostFlags(openFlags) & KeptWriteFlags) | OpenFlags.O_RDWR | OpenedByNode;
        return new FileUse(inode, errno == Errno.None ? _share.OpenOnce(inode, flags) : PinnedDescriptor.Failed(errno));
    }

    /// <summary>
    /// A descriptor of a directory. One by node is closed with the request: it has a position, which readers must not share, and
    /// a new one costs little beside what is read.
    /// </summary>
    private FileUse UseDirectory(FileTarget directory)
    {
        if (!IsByNode(directory))
        {
            return new FileUse(_handles.Use(directory.Handle, HandleKind.Directory));
        }

        PinnedInode inode = Pin(directory.Node);
        Errno errno = inode.IsEmpty ? Errno.ESTALE : inode.IsDirectory ? Errno.None : Errno.ENOTDIR;
        return new FileUse(
            inode, errno == Errno.None ? _share.OpenOnce(inode, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY) : PinnedDescriptor.Failed(errno));
    }

    /// <summary>
    /// After a change by node, whose descriptor closes unseen: what a mount of another machine's files below the share reports at
    /// close.
    /// </summary>
    private Errno CheckClosed(in FileUse file, Errno errno) =>
        errno == Errno.None && file.Opened is null && !_share.Mounts[file.Mount].IsLocal ? CloseDuplicate(file.Fd) : errno;

    /// <summary>What goes with the last reference of a client that does without opens: no release will tell.</summary>
    private void ForgetOpened(ulong node)
    {
        _opened.Remove(node);
        _locks.DropAllOf(node);
    }
}
