using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Paths;
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
public sealed unsafe partial class PassthroughFileSystem : IFileSystem, IFileCloser
{
    private readonly PassthroughShare _share;
    private readonly ShareView? _view;
    private readonly ReferenceCounts _references = new();
    private readonly DescriptorAccount _account;
    private readonly InodeAccount _inodes;
    private readonly SessionKeeps _keeps;
    private readonly HandleTable _handles;
    private readonly LockTable _locks;
    private bool _showsMounts;

    internal PassthroughFileSystem(PassthroughShare share, ShareView? view)
    {
        _share = share;
        _view = view;
        string owner = string.IsNullOrEmpty(view?.Name) ? "A client" : view.Name;
        _account = new DescriptorAccount(share.Budget, owner);
        _inodes = new InodeAccount(share.Options.InodeBudget, owner);
        _keeps = new SessionKeeps(share, _account);
        int openMax = share.Options.OpenFilesPerSessionMax ?? share.Budget.Limit / 4;
        _handles = new HandleTable(openMax, share.Inodes, _account);
        _locks = new LockTable(share.Inodes, _account);
        _awaited = new AwaitedNodes(share.Inodes);
        ShareSessions.Add(this);
    }

    /// <summary>Of its share, whose clients may reach the same files.</summary>
    internal ShareGroup Group => _share.Group;

    /// <summary>Files and directories that the session has open; of a client without opens, those that it said are.</summary>
    public int OpenHandles => _handles.OpenCount + _keeps.SaidOpen;

    /// <summary>Descriptors that the session pays for: of what it has open, of locks, and of inodes that would be gone without.</summary>
    public int KeptDescriptors => _account.Kept;

    /// <summary>Inodes that the client was given and has not forgotten, but the root.</summary>
    public int HeldInodes => _references.Count;

    public void ShowMounts() => _showsMounts = _share.Options.AnnounceSubmounts;

    /// <summary>Was the node given to the client, and not forgotten by it?</summary>
    public bool Holds(NodeId node)
    {
        if (node == NodeId.Root)
        {
            return true;
        }

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
                // No release will tell.
                _locks.DropAllOf(node.Value);
            }

            _dax?.Forget(node.Value);
            _keeps.Forget(node.Value);
            _inodes.Uncharge();
            _account.UnchargeIf(inode.OwnFd >= 0);
            _share.Inodes.Release(inode.Number);
        }
    }

    public void Dispose()
    {
        ShareSessions.Remove(this);
        Events.ForgetCloses(this);
        _locks.Dispose();
        _handles.CloseAll();
        _keeps.Clear();
        _awaited.Clear();
        _references.Clear(_share.Inodes.Release);
        _inodes.UnchargeAll();
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

    /// <summary>
    /// Gives an inode to the session, which now holds one reference more; ENFILE or ENOMEM when that would cost it too much.
    /// </summary>
    private Errno Grant(ref PinnedInode inode, in statx attributes, scoped in PinnedInode directory, out Entry entry) =>
        Grant(ref inode, attributes, directory.Mount, _share.FoldsNames(directory), out entry);

    private Errno Grant(ref PinnedInode inode, in statx attributes, ushort parentMount, bool hasSpellings, out Entry entry)
    {
        entry = default;
        _share.Inodes.Watch?.AddInode(inode);
        Errno errno = TryHold(ref inode);
        if (errno != Errno.None)
        {
            return errno;
        }

        entry = new Entry
        {
            Node = new NodeId(inode.Node),
            Attributes = attributes,
            HasSpellings = hasSpellings,
            IsSubmount = inode.Mount != parentMount && inode.IsDirectory && _share.Options.AnnounceSubmounts,
        };
        _dax?.Decide(inode.Node, _share.Mounts[inode.Mount].IsLocal && !entry.Node.IsDisplaced, ref entry.Attributes);
        entry.Attributes.stx_ino ^= _share.Numbers.MaskOf(attributes, _showsMounts);
        if (entry.IsSubmount)
        {
            _share.KeepSubmount(inode);
        }

        return Errno.None;
    }

    /// <summary>Counts one reference more. An inode that lives by a descriptor is paid for by each session that holds it.</summary>
    private Errno TryHold(ref PinnedInode inode)
    {
        bool isHeld = _references.Contains(inode.Number);
        bool costsDescriptor = inode.OwnFd >= 0;
        if (!isHeld && !_inodes.TryCharge())
        {
            return Errno.ENOMEM;
        }

        if (!isHeld && costsDescriptor && !_account.TryCharge())
        {
            _inodes.Uncharge();
            return Errno.ENFILE;
        }

        bool isNew = _references.Add(inode.Number);
        if (isNew && isHeld)
        {
            // It was forgotten meanwhile.
            _inodes.Charge();
            _account.ChargeIf(costsDescriptor);
        }
        else if (!isNew && !isHeld)
        {
            // Another request was given it meanwhile, and has paid.
            _inodes.Uncharge();
            _account.UnchargeIf(costsDescriptor);
        }

        if (!isNew)
        {
            return Errno.None;
        }

        inode.Keep();
        if (_share.Kept.Has(inode.Node))
        {
            // It is losing its name just now, and whoever removes that has not seen that this session holds it too.
            KeepRemoved(inode);
        }

        return Errno.None;
    }

    /// <summary>
    /// Keeps the inode of a name that is about to be removed, if the session holds it. ENFILE when it cannot be kept and the client
    /// may have it open without having said so, ERESTART when it cannot be kept yet.
    /// </summary>
    /// <param name="share">The one that <paramref name="target"/> was found in.</param>
    internal Errno KeepRemoved(PassthroughShare share, scoped in NameTarget target)
    {
        if (share == _share)
        {
            return target.Inode.IsEmpty ? Errno.None : KeepRemoved(target.Inode);
        }

        using PinnedInode inode = _share.Inodes.Pin(target.Key);
        return inode.IsEmpty ? Errno.None : KeepRemoved(inode);
    }

    private Errno KeepRemoved(scoped in PinnedInode inode)
    {
        if (inode.OwnFd >= 0 || !_references.Contains(inode.Number))
        {
            return Errno.None;
        }

        Errno errno = _keeps.KeepRemoved(inode);
        ForgetUnlessHeld(inode);
        return _withoutOpens ? errno : Errno.None;
    }

    /// <summary>After something was noted of an inode that may have been forgotten meanwhile: whoever comes second takes it away.</summary>
    private void ForgetUnlessHeld(scoped in PinnedInode inode)
    {
        if (!_references.Contains(inode.Number))
        {
            _keeps.Forget(inode.Node);
        }
    }

    /// <summary>What the session has of an inode.</summary>
    internal string Describe(ulong node)
    {
        string held = Holds(new NodeId(node)) ? "holds it" : _awaited.Contains(node) ? "awaits it" : "does not hold it";
        return $"{_view?.Name} {held}, and has {OpenHandles} open";
    }

    /// <inheritdoc cref="SessionKeeps.LetUnusedGo"/>
    internal void LetUnusedGo() => _keeps.LetUnusedGo();

    /// <summary>
    /// A client that has a file under two ids does not connect them: what it does by one is a change of somebody else's to the
    /// other.
    /// </summary>
    private MutationScope Mutate(ChangeOperation operation, ReadOnlySpan<TouchedObject> touched, bool tellsOwn = false) =>
        _share.Group.Begin(tellsOwn || _share.Inodes.HasDisplaced ? null : _view, touched, new ChangeOrigin(operation, _view));

    /// <summary>What keeps changes of a name apart: one name for all in a directory where a name has several spellings.</summary>
    private SlotKey LockOf(scoped in PinnedInode directory, in TouchedObject name) =>
        _share.FoldsNames(directory) ? SlotKey.Inode(directory.Key) : name.Slot;

    /// <summary>As the client is to see them.</summary>
    private Errno ReadShownAttributes(ulong node, int fd, out statx attributes)
    {
        Errno errno = ReadAttributes(fd, out attributes);
        _dax?.Show(node, ref attributes);
        attributes.stx_ino ^= errno == Errno.None ? _share.Numbers.MaskOf(attributes, _showsMounts) : 0;
        return errno;
    }

    private static Errno ReadAttributes(int fd, out statx attributes) =>
        Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out attributes).ToErrno();
}
