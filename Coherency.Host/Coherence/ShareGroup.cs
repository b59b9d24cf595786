using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Host.Coherence;

/// <summary>
/// The clients of one share, or of several that overlap, and the one place that every change of theirs passes: a file system
/// operation opens a scope with what it may touch before its system calls, and disposes it before it returns. Thread-safe.
/// </summary>
public sealed class ShareGroup(ChangeLog? log = null) : IHostChanges
{
    /// <summary>Changes of the host that this thread has written down and whose slots it is about to move.</summary>
    [ThreadStatic]
    private static int t_noticed;

    /// <summary>A change lasts as long as its system call: long only where a file system stands still.</summary>
    private static readonly TimeSpan JoinPatience = TimeSpan.FromSeconds(10);

    private readonly ChangesUnderWay _underWay = new();
    private readonly Lock _membership = new();
    private volatile ShareView[] _views = [];
    private long _slotsMovedByHost;

    /// <summary>Slots that changes beside the daemon moved so far; one in three tables counts three times.</summary>
    public long SlotsMovedByHost => Volatile.Read(ref _slotsMovedByHost);

    /// <summary>What changes of clients touch.</summary>
    internal TouchedInodes Touched { get; } = new();

    /// <summary>And names, by their slots; only if somebody wants to know (<see cref="NotesNames"/>).</summary>
    internal TouchedInodes TouchedNames { get; } = new();

    /// <summary>A watcher that is not told who makes changes tells clients of them.</summary>
    internal bool NotesNames { get; set; }

    /// <summary>Keep changes of one name apart, by whichever share they come.</summary>
    internal NameLocks NameLocks { get; } = new();

    /// <summary>Tells clients what others change.</summary>
    public ShareEvents Events { get; } = new();

    /// <summary>The changes of all clients and of the host, if they are written down.</summary>
    public ChangeLog? Log => log;

    /// <summary>Begins a change in the view of every client but the one that makes it, which knows of it anyhow.</summary>
    /// <param name="exempt">The view of that client; null when all are to be told.</param>
    /// <param name="touched">At most <see cref="MutationScope.TouchedMax"/>; must live as long as the scope.</param>
    /// <param name="origin">What is written down of it.</param>
    public MutationScope Begin(ShareView? exempt, ReadOnlySpan<TouchedObject> touched, ChangeOrigin origin = default)
    {
        ServingThreads.Serve(this);
        // Announced before the views are read: who joins waits for those that may have read them before.
        int ticket = _underWay.Enter();
        return new MutationScope(
            _underWay, ticket, _views, exempt, touched, Touched, NotesNames && Events.AreWanted ? TouchedNames : null, log, origin);
    }

    /// <summary>
    /// Lets a client take part. When this returns true, every change is one that it is told of, or is over: what it asks for
    /// from now on it may cache. False when a change that began earlier does not end; then it takes no part.
    /// </summary>
    public bool TryJoin(ShareView view)
    {
        if (Join(view).Wait(JoinPatience))
        {
            return true;
        }

        Leave(view);
        return false;
    }

    /// <summary>
    /// The same for who comes again: the wait goes on meanwhile, or long changes of which one begins before the other has ended
    /// would keep clients out for ever.
    /// </summary>
    /// <returns>Completes when every change is one that the view is told of, or is over.</returns>
    internal Task Join(ShareView view)
    {
        lock (_membership)
        {
            if (!_views.Contains(view))
            {
                _views = [.. _views, view];
            }
        }

        return _underWay.WaitForEarlier();
    }

    /// <summary>Ends that. Changes that had begun still end in the view, also after this has returned.</summary>
    public void Leave(ShareView view)
    {
        lock (_membership)
        {
            _views = [.. _views.Where(other => other != view)];
        }
    }

    /// <summary>Waits until no change that began earlier is under way, after which a view that left can be taken apart.</summary>
    public void WaitForEarlierChanges() => _underWay.WaitForEarlier().Wait();

    /// <summary>Writes down a change that was made beside the daemon, before <see cref="Changed"/> moves its slots.</summary>
    public void Noticed(in HostChange change)
    {
        if (log is not null)
        {
            ChangeActor actor = change.ProcessId == HostChange.UnknownProcess
                ? default
                : ChangeActor.Host(change.ProcessId, CommandNames.OfThread.Find(change.ProcessId));
            log.BeginMoves(change.Operation, actor, change.Keys, change.Directory, change.Name);
            t_noticed++;
        }
    }

    /// <summary>Tells all of a change that was made beside the daemon and is over.</summary>
    public void Changed(ReadOnlySpan<SlotKey> slots)
    {
        int told = MoveInAll(slots);
        Interlocked.Add(ref _slotsMovedByHost, (long)told * slots.Length);
        EndNoticed();
    }

    /// <summary>Tells all that changes were made of which nobody knows what they touched.</summary>
    public void Lost()
    {
        MoveEpochs(ChangeActor.Daemon("events of the host were lost"));
        Events.RaiseLostAll();
    }

    /// <summary>Tells all that something was mounted or unmounted below a share.</summary>
    public void MountsChanged()
    {
        MoveEpochs(ChangeActor.Daemon("something was mounted or unmounted"));
        Events.RaiseLostAll();
    }

    /// <summary>Makes what is cached about some slots stale everywhere, though nothing has changed.</summary>
    /// <param name="keys">At most <see cref="MutationScope.TouchedMax"/>.</param>
    /// <param name="by">Who wants it.</param>
    public void Invalidate(ReadOnlySpan<SlotKey> keys, string by)
    {
        log?.BeginMoves(ChangeOperation.Invalidate, ChangeActor.Administration(by), keys);
        MoveInAll(keys);
        log?.EndMoves();
    }

    /// <summary>Makes everything stale that clients have cached.</summary>
    /// <param name="target">Only this one; null for all.</param>
    /// <param name="by">Who wants it.</param>
    public void InvalidateAll(string by, ShareView? target = null) => MoveEpochs(ChangeActor.Administration(by), target);

    /// <returns>How many views there are.</returns>
    private int MoveInAll(ReadOnlySpan<SlotKey> slots)
    {
        // Announced like any change: a view that has left is taken apart once all have ended that may still have it.
        int ticket = _underWay.Enter();
        try
        {
            ShareView[] views = _views;
            foreach (ShareView view in views)
            {
                view.Move(slots);
            }

            return views.Length;
        }
        finally
        {
            _underWay.Exit(ticket);
        }
    }

    private void MoveEpochs(in ChangeActor actor, ShareView? target = null)
    {
        log?.BeginEpoch(ChangeOperation.Epoch, actor, target);
        // As above.
        int ticket = _underWay.Enter();
        try
        {
            foreach (ShareView view in _views)
            {
                if (target is null || target == view)
                {
                    view.MoveAll();
                }
            }
        }
        finally
        {
            _underWay.Exit(ticket);
        }

        log?.EndMoves();
        EndNoticed();
    }

    private void EndNoticed()
    {
        if (t_noticed > 0)
        {
            log?.EndMoves(t_noticed);
            t_noticed = 0;
        }
    }
}
