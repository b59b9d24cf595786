using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The inodes that a session keeps (<see cref="KeptInodes"/>) and pays for (<see cref="DescriptorAccount"/>): those that a client
/// without opens says it holds open, so that they outlive their names when a host program removes those, and those whose names
/// clients have removed while the session held them. Thread-safe.
/// </summary>
internal sealed class SessionKeeps(PassthroughShare share, DescriptorAccount account)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Reasons> _reasons = [];
    private int _saidOpen;
    private bool _closed;

    /// <summary>Before this, in milliseconds of <see cref="Environment.TickCount64"/>, there is nothing that can be let go.</summary>
    private long _nextLetGo;

    /// <summary>Inodes that the client said it holds open.</summary>
    public int SaidOpen => Volatile.Read(ref _saidOpen);

    /// <summary>Keeps an inode that the client says it has open; when there is no descriptor for it, it goes with its names.</summary>
    public void KeepOpened(scoped in PinnedInode inode) => _ = Keep(inode, new Reasons { IsSaidOpen = true });

    /// <summary>
    /// Keeps an inode that is about to lose a name. A session that keeps nothing more answers ERESTART as long as there are some that
    /// it will let go, and ENFILE then. An inode that is gone already needs nothing.
    /// </summary>
    public Errno KeepRemoved(scoped in PinnedInode inode)
    {
        Reasons removed = new() { RemovedAt = Math.Max(1, Environment.TickCount64) };
        Errno errno = Keep(inode, removed);
        if (errno == Errno.ENFILE)
        {
            bool mayHaveRoom = LetUnusedGo();
            errno = Keep(inode, removed);
            errno = errno == Errno.ENFILE && mayHaveRoom ? Errno.ERESTART : errno;
        }

        return errno is Errno.ESTALE or Errno.ENOENT ? Errno.None : errno;
    }

    /// <summary>The client has said that it has the inode open.</summary>
    public bool IsSaidOpen(ulong node)
    {
        lock (_lock)
        {
            return _reasons.TryGetValue(node, out Reasons reasons) && reasons.IsSaidOpen;
        }
    }

    /// <summary>The client has closed it.</summary>
    public void LetClosed(ulong node)
    {
        lock (_lock)
        {
            if (!_reasons.TryGetValue(node, out Reasons reasons) || !reasons.IsSaidOpen)
            {
                return;
            }

            _saidOpen--;
            Reasons left = reasons with { IsSaidOpen = false };
            _reasons[node] = left;
            if (reasons.RemovedAt != 0)
            {
                Await(left);
                return;
            }

            _reasons.Remove(node);
        }

        LetGo(node);
    }

    /// <summary>The session does not hold it any more.</summary>
    public void Forget(ulong node)
    {
        lock (_lock)
        {
            if (!_reasons.Remove(node, out Reasons reasons))
            {
                return;
            }

            _saidOpen -= reasons.IsSaidOpen ? 1 : 0;
        }

        LetGo(node);
    }

    /// <summary>
    /// Lets those go that lost a name so long ago that the client has said by now whether it has them open, if the session keeps
    /// so many that it needs the room: others could not remove what it holds otherwise.
    /// </summary>
    /// <returns>Whether there are others that may be let go later.</returns>
    public bool LetUnusedGo()
    {
        if (!account.IsCrowded)
        {
            return true;
        }

        long period = (long)share.Options.SayingPeriod.TotalMilliseconds;
        long now = Environment.TickCount64;
        List<ulong> unused = [];
        bool anyLater;
        lock (_lock)
        {
            if (now < _nextLetGo)
            {
                return _nextLetGo != long.MaxValue;
            }

            _nextLetGo = long.MaxValue;
            foreach ((ulong node, Reasons reasons) in _reasons)
            {
                if (reasons.IsSaidOpen)
                {
                    continue;
                }

                if (reasons.RemovedAt + period < now)
                {
                    unused.Add(node);
                }
                else
                {
                    _nextLetGo = Math.Min(_nextLetGo, reasons.RemovedAt + period + 1);
                }
            }

            anyLater = _nextLetGo != long.MaxValue;
        }

        unused.ForEach(Forget);
        return anyLater;
    }

    /// <summary>Lets everything go, for good.</summary>
    public void Clear()
    {
        ulong[] all;
        lock (_lock)
        {
            _closed = true;
            all = [.. _reasons.Keys];
        }

        foreach (ulong node in all)
        {
            Forget(node);
        }
    }

    private Errno Keep(scoped in PinnedInode inode, in Reasons reason)
    {
        if (TryAddReason(inode.Node, reason, mayBeNew: false))
        {
            return Errno.None;
        }

        if (!account.TryCharge())
        {
            return Errno.ENFILE;
        }

        Errno errno = share.Kept.Add(share, inode, reason.RemovedAt != 0);
        if (errno != Errno.None)
        {
            account.Uncharge();
        }
        else if (TryAddReason(inode.Node, reason, mayBeNew: true))
        {
            // Another thread was first, or the session has ended.
            LetGo(inode.Node);
        }

        return errno;
    }

    /// <summary>True when nothing is left to do: it is kept already, or the session has ended.</summary>
    private bool TryAddReason(ulong node, in Reasons reason, bool mayBeNew)
    {
        lock (_lock)
        {
            bool exists = _reasons.TryGetValue(node, out Reasons reasons);
            if (!_closed && (exists || mayBeNew))
            {
                _saidOpen += reason.IsSaidOpen && !reasons.IsSaidOpen ? 1 : 0;
                Reasons both = new()
                {
                    IsSaidOpen = reasons.IsSaidOpen || reason.IsSaidOpen,
                    RemovedAt = Math.Max(reasons.RemovedAt, reason.RemovedAt),
                };
                _reasons[node] = both;
                Await(both);
            }

            return exists || _closed;
        }
    }

    /// <summary>With the lock held: what may be let go later is looked for then.</summary>
    private void Await(in Reasons reasons)
    {
        if (!reasons.IsSaidOpen && _nextLetGo == long.MaxValue)
        {
            _nextLetGo = reasons.RemovedAt;
        }
    }

    private void LetGo(ulong node)
    {
        share.Kept.Remove(node);
        account.Uncharge();
    }

    private readonly record struct Reasons
    {
        public bool IsSaidOpen { get; init; }

        /// <summary>When it lost a name, in milliseconds of <see cref="Environment.TickCount64"/>; 0 if it did not.</summary>
        public long RemovedAt { get; init; }
    }
}
