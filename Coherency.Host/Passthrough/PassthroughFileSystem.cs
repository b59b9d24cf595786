using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// A session's view of a <see cref="PassthroughShare"/>: the inodes it was given, the files it has open, the locks it holds.
/// Disposed after its last request has returned; then all of that is given back, and other sessions do not notice.
/// <para>
/// Every operation works on descriptors of exactly the inode that the node id means; names are resolved one at a time and
/// never through a symlink, so nothing leaves the shared directory. Only regular files and directories are ever opened.
/// </para>
/// </summary>
public sealed unsafe partial class PassthroughFileSystem : IFileSystem
{
    private readonly PassthroughShare _share;
    private readonly ShareView? _view;
    private readonly ReferenceCounts _references = new();
    private readonly HandleTable _handles;
    private readonly LockTable _locks;

    internal PassthroughFileSystem(PassthroughShare share, ShareView? view)
    {
        _share = share;
        _view = view;
        int openMax = share.Options.OpenFilesPerSessionMax ?? share.Budget.Limit / 4;
        _handles = new HandleTable(openMax, share.Inodes, share.Budget);
        _locks = new LockTable(share.Inodes, share.Budget);
        _opened = new OpenedNodes(share.Budget);
    }

    /// <summary>Files and directories that the session has open; of a client without opens, those that it said are.</summary>
    public int OpenHandles => _handles.OpenCount + _opened.Count;

    /// <summary>Inodes that the client was given and has not forgotten, but the root.</summary>
    public int HeldInodes => _references.Count;

    /// <summary>Was the node given to the client, and not forgotten by it?</summary>
    public bool Holds(NodeId node)
    {
        using PinnedInode inode = _share.Inodes.Pin(node.Value);
        return !inode.IsEmpty && _references.Contains(inode.Number);
    }

    /// <summary>Calls <paramref name="visit"/> with the id of every node that the client holds, but the root's.</summary>
    public void VisitNodes(Action<ulong> visit) => _references.Visit(number => visit(_share.Inodes.NodeOf(number)));

    public void Forget(NodeId node, ulong count)
    {
        using PinnedInode inode = _share.Inodes.Pin(node.Value);
        if (!inode.IsEmpty && _references.Subtract(inode.Number, count))
        {
            if (_withoutOpens)
            {
                ForgetOpened(node.Value);
            }

            _share.Inodes.Release(inode.Number);
        }
    }

    public void Dispose()
    {
        _locks.DropAll();
        _handles.CloseAll();
        _opened.Clear();
        _references.Clear(_share.Inodes.Release);
    }

    /// <summary>The inode that a node id means to this session; empty (ESTALE) if it was not given to it.</summary>
    private PinnedInode Pin(NodeId node)
    {
        if (node == NodeId.Root)
        {
            return _share.Inodes.Pin(_share.RootKey);
        }

        PinnedInode inode = _share.Inodes.Pin(node.Value);
        if (!inode.IsEmpty && !_references.Contains(inode.Number))
        {
            inode.Dispose();
            return default;
        }

        return inode;
    }

    /// <summary>Gives an inode to the session, which now holds one reference more.</summary>
    private Entry Grant(ref PinnedInode inode, in statx attributes, ushort parentMount)
    {
        _share.Inodes.Watch?.AddInode(inode);
        Entry entry = new()
        {
            Node = new NodeId(inode.Node),
            Attributes = attributes,
            IsSubmount = inode.Mount != parentMount && inode.IsDirectory && _share.Options.AnnounceSubmounts,
        };
        if (entry.IsSubmount)
        {
            _share.KeepSubmount(inode);
        }

        if (_references.Add(inode.Number))
        {
            inode.Keep();
        }

        return entry;
    }

    /// <summary>
    /// A client that has a file under two ids does not connect them: what it does by one is a change of somebody else's to the
    /// other.
    /// </summary>
    private MutationScope Mutate(ChangeOperation operation, ReadOnlySpan<TouchedObject> touched) =>
        _share.Group.Begin(_share.Inodes.HasDisplaced ? null : _view, touched, new ChangeOrigin(operation, _view));

    private static Errno ReadAttributes(int fd, out statx attributes) =>
        Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out attributes).ToErrno();
}
