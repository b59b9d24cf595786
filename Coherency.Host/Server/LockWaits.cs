using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// What the sessions of the daemon tell each other of locks that clients wait for: that one may have been freed, and who waits for
/// whom. A client waits in one of two ways. Its request is kept (<see cref="RetryQueue"/>); or it asks, is told when a lock on the file
/// may be free, and asks again. Thread-safe; the lock is held across no system call and no reply: all guests wait for it.
/// </summary>
public sealed class LockWaits
{
    /// <summary>More that one client has asked for is a guest that wants memory, not locks.</summary>
    internal const int AskedMax = 16384;

    /// <summary>The same for one owner of record locks, whose waits are walked. A process waits with each thread once.</summary>
    internal const int AskedOfOwnerMax = 1024;

    /// <summary>Lock owners that are followed to find a deadlock: what it costs one who wants to make the daemon search.</summary>
    private const int OwnersFollowedMax = 64;

    /// <summary>The same for what one of them waits for.</summary>
    private const int WaitsFollowedMax = 64;

    /// <summary>
    /// Who asks gives way to who has waited longer, for this part of the time that the other has waited, and at most so long, in
    /// milliseconds: a writer does not starve behind readers, and one who cannot have the lock yet keeps nobody from it for good.
    /// </summary>
    private const int GiveWayPart = 4;
    private const int GiveWayMaxMs = 1000;

    /// <summary>A client that was told and does not come is waited for no longer: its machine may have been stopped.</summary>
    private const int ComesWithinMs = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<RetryQueue, int> _waits = [];

    /// <summary>Of record locks that belong to processes, by who wants them.</summary>
    private readonly Dictionary<LockOwner, List<LockAttempt>> _byOwner = [];
    private readonly Dictionary<NodeId, AskedFile> _asked = [];
    private readonly Dictionary<FuseSession, LinkedList<AskedWait>> _askedOf = [];
    private volatile RetryQueue[] _queues = [];
    private volatile int _askedCount;

    /// <summary>Waits of clients that ask again, for tests.</summary>
    internal int AskedCount => _askedCount;

    /// <summary>A lock of any file was freed, or may have been.</summary>
    public void LocksMayBeFree()
    {
        WakeQueues();
        foreach (NodeId node in AskedFiles())
        {
            Tell(node, null);
        }
    }

    /// <summary>A lock of a file was freed, or may have been. Cheap when nobody waits.</summary>
    /// <param name="node">
    /// As clients know the file: all alike, but for what is shared as the root of one and below that of another, or has an id of its own.
    /// Who waits for a lock of such a file is not told, and asks again by itself.
    /// </param>
    /// <param name="except">A client that knows it already.</param>
    public void LocksMayBeFree(NodeId node, FuseSession? except = null)
    {
        WakeQueues();
        Tell(node, except);
    }

    /// <summary>A request is about to wait; false when those that it waits for wait, one for the other, for its owner.</summary>
    /// <remarks>Every wait is looked at before it begins, with the lock held: the last of a circle finds the others waiting.</remarks>
    internal bool TryAdd(RetryQueue queue, WaitingRequest waiting)
    {
        lock (_lock)
        {
            if (!TryAddEdge(waiting.Lock))
            {
                return false;
            }

            if (!_waits.TryGetValue(queue, out int waits))
            {
                _queues = [.. _queues, queue];
            }

            _waits[queue] = waits + 1;
            return true;
        }
    }

    /// <summary>A request that <see cref="TryAdd"/> was asked for waits no more.</summary>
    internal void Remove(RetryQueue queue, WaitingRequest waiting)
    {
        lock (_lock)
        {
            RemoveEdge(waiting.Lock);
            if (--_waits[queue] == 0)
            {
                _waits.Remove(queue);
                _queues = [.. _queues.Where(other => other != queue)];
            }
        }
    }

    /// <summary>
    /// Takes a lock for a client that waits by itself, or notes that it waits: EAGAIN. ENOLCK when too many do, EDEADLK when it
    /// would wait for itself; then, as when it gets the lock, it waits no more.
    /// </summary>
    /// <param name="isAgain">It waits already, for the same lock.</param>
    internal Errno Ask(FuseSession session, NodeId node, LockAttempt attempt, bool isAgain)
    {
        AskedWait? wait = isAgain || _askedCount > 0 ? Begin(session, node, attempt, isAgain, out bool givesWay) : NotNoted(out givesWay);
        Errno errno = givesWay ? Errno.EAGAIN : attempt.Try();
        if (errno == Errno.EAGAIN)
        {
            bool isNew = wait is null;
            errno = Note(session, node, attempt, ref wait);
            if (isNew && errno == Errno.EAGAIN && !GivesWay(node, wait!, attempt))
            {
                // It is noted before it is tried, and a lock is freed before the notes are looked at (Tell): either this finds it free, or
                // the client is told. Both take the lock of the notes in between, which orders them. The same holds for whom it
                // gives way to: he may have had the lock and freed it since the first look, when nobody was noted to be told.
                errno = attempt.Try();
            }
        }

        if (errno != Errno.EAGAIN && wait is not null)
        {
            End(wait);
            if (errno != Errno.None)
            {
                // Somebody may have given way to one who has got nothing.
                Tell(node, session);
            }
        }

        return errno;
    }

    /// <summary>A client waits no more for a lock that it has asked for; harmless if it did not.</summary>
    internal void Leave(FuseSession session, NodeId node, in LockAttempt attempt)
    {
        AskedWait? wait;
        lock (_lock)
        {
            wait = Find(session, node, attempt);
        }

        if (wait is not null)
        {
            End(wait);
            // Somebody may have given way to it.
            Tell(node, null);
        }
    }

    /// <summary>A client waits for nothing any more.</summary>
    internal void Forget(FuseSession session)
    {
        List<NodeId> left = [];
        lock (_lock)
        {
            while (_askedOf.TryGetValue(session, out LinkedList<AskedWait>? waits))
            {
                AskedWait wait = waits.First!.Value;
                left.Add(wait.Node);
                Remove(wait);
            }
        }

        foreach (NodeId node in left.Distinct())
        {
            Tell(node, session);
        }
    }

    private void WakeQueues()
    {
        foreach (RetryQueue queue in _queues)
        {
            queue.LocksMayBeFree();
        }
    }

    private NodeId[] AskedFiles()
    {
        lock (_lock)
        {
            return [.. _asked.Keys];
        }
    }

    private void Tell(NodeId node, FuseSession? except)
    {
        // The lock was freed before: pairs with the lock that Note takes before the last try.
        Interlocked.MemoryBarrier();
        if (_askedCount == 0)
        {
            return;
        }

        FuseSession[] told;
        lock (_lock)
        {
            if (!_asked.TryGetValue(node, out AskedFile? file))
            {
                return;
            }

            told = [.. file.Clients.Keys];
            foreach (FuseSession session in told)
            {
                ref AskingClient client = ref CollectionsMarshal.GetValueRefOrNullRef(file.Clients, session);
                client.ToldAt = client.ToldAt == 0 ? Environment.TickCount64 : client.ToldAt;
            }
        }

        foreach (FuseSession session in told)
        {
            if (session != except)
            {
                session.TellLock(node);
            }
        }
    }

    private static AskedWait? NotNoted(out bool givesWay)
    {
        givesWay = false;
        return null;
    }

    private AskedWait? Begin(FuseSession session, NodeId node, in LockAttempt attempt, bool isAgain, out bool givesWay)
    {
        lock (_lock)
        {
            AskedWait? wait = isAgain ? Find(session, node, attempt) : null;
            givesWay = false;
            if (_asked.TryGetValue(node, out AskedFile? file))
            {
                if (file.Clients.ContainsKey(session))
                {
                    CollectionsMarshal.GetValueRefOrNullRef(file.Clients, session).ToldAt = 0;
                }

                givesWay = GivesWay(file, wait, attempt);
            }

            return wait;
        }
    }

    private bool GivesWay(NodeId node, AskedWait own, in LockAttempt attempt)
    {
        lock (_lock)
        {
            return _asked.TryGetValue(node, out AskedFile? file) && GivesWay(file, own, attempt);
        }
    }

    /// <summary>With the lock held.</summary>
    private bool GivesWay(AskedFile file, AskedWait? own, in LockAttempt attempt)
    {
        long now = Environment.TickCount64;
        long waited = own is null ? 0 : now - own.Since;
        int looked = 0;
        foreach (AskedWait other in file.Waits)
        {
            // A guest that waits for thousands of ranges does not make the others wait for all to be looked at.
            if (other == own || waited >= GiveWayMaxMs || ++looked > WaitsFollowedMax)
            {
                return false;
            }

            long toldAt = file.Clients[other.Session].ToldAt;
            bool comes = toldAt == 0 || now - toldAt < ComesWithinMs;
            if (comes && other.Attempt.StandsInTheWayOf(attempt))
            {
                // The oldest is the one that is given way to for longest; unless it waits for whoever asks.
                return waited < Math.Min((now - other.Since) / GiveWayPart, GiveWayMaxMs) && !WaitsFor(other.Attempt, attempt.Wanting);
            }
        }

        return false;
    }

    /// <summary>Notes that somebody waits, or goes on waiting: EAGAIN; or what keeps him from that.</summary>
    private Errno Note(FuseSession session, NodeId node, LockAttempt attempt, ref AskedWait? wait)
    {
        if (wait is not null)
        {
            lock (_lock)
            {
                // Those that have the lock may be others than when the wait began.
                return CanDeadlock(attempt) && WaitsFor(attempt, attempt.Wanting) ? Errno.EDEADLK : Errno.EAGAIN;
            }
        }

        AskedWait? added = null;
        Errno errno = Errno.EBADF;
        session.TryNoteWait(attempt.Files, () => errno = Add(session, node, attempt, out added));
        wait = added;
        return errno;
    }

    private Errno Add(FuseSession session, NodeId node, in LockAttempt attempt, out AskedWait? added)
    {
        added = null;
        lock (_lock)
        {
            LinkedList<AskedWait> own = _askedOf.GetValueOrDefault(session) ?? new LinkedList<AskedWait>();
            if (own.Count >= AskedMax || (CanDeadlock(attempt) && _byOwner.GetValueOrDefault(attempt.Wanting)?.Count >= AskedOfOwnerMax))
            {
                return Errno.ENOLCK;
            }

            if (!TryAddEdge(attempt))
            {
                return Errno.EDEADLK;
            }

            if (!_asked.TryGetValue(node, out AskedFile? file))
            {
                _asked.Add(node, file = new AskedFile());
            }

            added = new AskedWait(session, node, attempt);
            file.Add(added);
            own.AddLast(added.InSession);
            _askedOf[session] = own;
            _askedCount++;
            return Errno.EAGAIN;
        }
    }

    private void End(AskedWait wait)
    {
        lock (_lock)
        {
            Remove(wait);
        }
    }

    /// <summary>With the lock held; harmless when it was removed before.</summary>
    private void Remove(AskedWait wait)
    {
        if (wait.InSession.List is not { } own)
        {
            return;
        }

        own.Remove(wait.InSession);
        if (own.Count == 0)
        {
            _askedOf.Remove(wait.Session);
        }

        RemoveEdge(wait.Attempt);
        AskedFile file = _asked[wait.Node];
        file.Remove(wait);
        if (file.Waits.Count == 0)
        {
            _asked.Remove(wait.Node);
        }

        _askedCount--;
    }

    /// <summary>With the lock held.</summary>
    private AskedWait? Find(FuseSession session, NodeId node, LockAttempt attempt) =>
        _asked.TryGetValue(node, out AskedFile? file)
            ? file.Find(session, attempt) : null;

    private static bool CanDeadlock(in LockAttempt attempt) => !attempt.IsOfOpenFile;

    /// <summary>With the lock held; false when it would wait for itself.</summary>
    private bool TryAddEdge(in LockAttempt attempt)
    {
        if (!CanDeadlock(attempt))
        {
            return true;
        }

        LockOwner owner = attempt.Wanting;
        if (WaitsFor(attempt, owner))
        {
            return false;
        }

        if (!_byOwner.TryGetValue(owner, out List<LockAttempt>? own))
        {
            _byOwner.Add(owner, own = new List<LockAttempt>(1));
        }

        own.Add(attempt);
        return true;
    }

    /// <summary>With the lock held.</summary>
    private void RemoveEdge(in LockAttempt attempt)
    {
        if (CanDeadlock(attempt))
        {
            LockOwner owner = attempt.Wanting;
            List<LockAttempt> own = _byOwner[owner];
            own.Remove(attempt);
            if (own.Count == 0)
            {
                _byOwner.Remove(owner);
            }
        }
    }

    /// <summary>With the lock held: whoever wants a lock waits for an owner, or for one that waits for it.</summary>
    private bool WaitsFor(in LockAttempt attempt, LockOwner sought)
    {
        List<LockOwner> reached = [];
        attempt.FindHolders(reached);
        for (int i = 0; i < reached.Count && i < OwnersFollowedMax; i++)
        {
            if (reached[i] == sought)
            {
                return true;
            }

            if (_byOwner.TryGetValue(reached[i], out List<LockAttempt>? waiting))
            {
                List<LockOwner> holders = [];
                for (int j = 0; j < waiting.Count && j < WaitsFollowedMax; j++)
                {
                    waiting[j].FindHolders(holders);
                }

                reached.AddRange(holders.Except(reached));
            }
        }

        return false;
    }

    /// <summary>A client waits for a lock, and asks again.</summary>
    private sealed class AskedWait
    {
        public AskedWait(FuseSession session, NodeId node, LockAttempt attempt)
        {
            Session = session;
            Node = node;
            Attempt = attempt;
            InSession = new LinkedListNode<AskedWait>(this);
            InFile = new LinkedListNode<AskedWait>(this);
        }

        public FuseSession Session { get; }

        public NodeId Node { get; }

        public LockAttempt Attempt { get; }

        /// <summary>As <see cref="Environment.TickCount64"/>.</summary>
        public long Since { get; } = Environment.TickCount64;

        public LinkedListNode<AskedWait> InSession { get; }

        public LinkedListNode<AskedWait> InFile { get; }

        /// <summary>One of the same client for the same lock, noted before.</summary>
        public AskedWait? Alike { get; set; }
    }

    /// <summary>A file locks on which are waited for. Nothing here takes longer the more do.</summary>
    private sealed class AskedFile
    {
        private readonly Dictionary<(FuseSession, LockAttempt), AskedWait> _newest = [];

        /// <summary>Oldest first.</summary>
        public LinkedList<AskedWait> Waits { get; } = new();

        public Dictionary<FuseSession, AskingClient> Clients { get; } = [];

        public AskedWait? Find(FuseSession session, LockAttempt attempt) => _newest.GetValueOrDefault((session, attempt));

        public void Add(AskedWait wait)
        {
            ref AskedWait? newest = ref CollectionsMarshal.GetValueRefOrAddDefault(_newest, (wait.Session, wait.Attempt), out _);
            wait.Alike = newest;
            newest = wait;
            Waits.AddLast(wait.InFile);
            CollectionsMarshal.GetValueRefOrAddDefault(Clients, wait.Session, out _).Waits++;
        }

        public void Remove(AskedWait wait)
        {
            Waits.Remove(wait.InFile);
            if (--CollectionsMarshal.GetValueRefOrNullRef(Clients, wait.Session).Waits == 0)
            {
                Clients.Remove(wait.Session);
            }

            ref AskedWait? newest = ref CollectionsMarshal.GetValueRefOrNullRef(_newest, (wait.Session, wait.Attempt))!;
            if (newest == wait && wait.Alike is null)
            {
                _newest.Remove((wait.Session, wait.Attempt));
            }
            else if (newest == wait)
            {
                newest = wait.Alike;
            }
            else
            {
                // It is the newest but for those that were noted while this one was tried.
                AskedWait later = newest!;
                while (later.Alike != wait)
                {
                    later = later.Alike!;
                }

                later.Alike = wait.Alike;
            }
        }
    }

    private struct AskingClient
    {
        public int Waits;

        /// <summary>As <see cref="Environment.TickCount64"/>: when it was told first since it asked last; or 0.</summary>
        public long ToldAt;
    }
}
