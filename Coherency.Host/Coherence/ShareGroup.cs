using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Host.Coherence;

/// <summary>
/// The clients of one share, or of several that overlap, and the one place that every change of theirs passes: a file system
/// operation opens a scope with what it may touch before its system calls, and disposes it before it returns. Thread-safe.
/// </summary>
/// <remarks>
/// Two groups become one while their clients work (<see cref="TryTakeIn"/>). The one that is taken in stays as another name of the whole:
/// whoever has it goes on with it, and everything that it is asked for the whole does.
/// </remarks>
public sealed class ShareGroup(ChangeLog? log = null) : IHostChanges
{
    /// <summary>Changes of the host that this thread has written down and whose slots it is about to move, and where.</summary>
    [ThreadStatic]
    private static int t_noticed;

    [ThreadStatic]
    private static ChangeLog? t_noticedIn;

    /// <summary>A change lasts as long as its system call: long only where a file system stands still.</summary>
    private static readonly TimeSpan JoinPatience = TimeSpan.FromSeconds(10);

    /// <summary>Of all groups: clients come and go seldom, and must not do so to a group that becomes part of another.</summary>
    private static readonly Lock Membership = new();

    /// <summary>Groups become one at a time.</summary>
    private static readonly Lock Uniting = new();

    private readonly ChangesUnderWay _underWay = new();
    private readonly TouchedInodes _touched = new();
    private readonly TouchedInodes _touchedNames = new();
    private readonly ShareEvents _events = new();
    private volatile ShareGroup? _takenInBy;
    private volatile ShareView[] _views = [];
    private volatile bool _notesNames;
    private long _slotsMovedByHost;

    /// <summary>
    /// Completes when every change has ended that began in a part of this and is told to that part's clients only; the epoch has moved
    /// then, for what came of such changes by other ways.
    /// </summary>
    private volatile Task _settled = Task.CompletedTask;
    private volatile bool _isSettled = true;

    /// <summary>The group that this one has become a part of; itself if it has not.</summary>
    public ShareGroup Whole
    {
        get
        {
            ShareGroup whole = this;
            while (whole._takenInBy is { } next)
            {
                whole = next;
            }

            return whole;
        }
    }

    /// <summary>Slots that changes beside the daemon moved so far; one in three tables counts three times.</summary>
    public long SlotsMovedByHost => Volatile.Read(ref Whole._slotsMovedByHost);

    /// <summary>What changes of clients touch.</summary>
    internal TouchedInodes Touched => Whole._touched;

    /// <summary>And names, by their slots; only if somebody wants to know (<see cref="NotesNames"/>).</summary>
    internal TouchedInodes TouchedNames => Whole._touchedNames;

    /// <summary>A watcher that is not told who makes changes tells clients of them.</summary>
    internal bool NotesNames
    {
        get => Whole._notesNames;
        set => Whole._notesNames = value;
    }

    /// <summary>Keep changes of one name apart, by whichever share they come.</summary>
    internal NameLocks NameLocks { get; } = new();

    /// <summary>Tells clients what others change.</summary>
    public ShareEvents Events => Whole._events;

    /// <summary>The changes of all clients and of the host, if they are written down.</summary>
    public ChangeLog? Log => Whole.OwnLog;

    private ChangeLog? OwnLog => log;

    /// <summary>Begins a change in the view of every client but the one that makes it, which knows of it anyhow.</summary>
    /// <param name="exempt">The view of that client; null when all are to be told.</param>
    /// <param name="touched">At most <see cref="MutationScope.TouchedMax"/>; must live as long as the scope.</param>
    /// <param name="origin">What is written down of it.</param>
    public MutationScope Begin(ShareView? exempt, ReadOnlySpan<TouchedObject> touched, ChangeOrigin origin = default)
    {
        ServingThreads.Serve(this);
        ShareGroup whole = Enter(out int ticket);
        TouchedInodes? names = whole._notesNames && whole._events.AreWanted ? whole._touchedNames : null;
        return new MutationScope(whole._underWay, ticket, whole._views, exempt, touched, whole._touched, names, whole.OwnLog, origin);
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
        ShareGroup whole;
        lock (Membership)
        {
            whole = Whole;
            if (!whole._views.Contains(view))
            {
                whole._views = [.. whole._views, view];
            }
        }

        return whole.WaitForEarlier();
    }

    /// <summary>Ends that. Changes that had begun still end in the view, also after this has returned.</summary>
    public void Leave(ShareView view)
    {
        lock (Membership)
        {
            ShareGroup whole = Whole;
            whole._views = [.. whole._views.Where(other => other != view)];
        }
    }

    /// <summary>Waits until no change that began earlier is under way, after which a view that left can be taken apart.</summary>
    public void WaitForEarlierChanges() => Whole.WaitForEarlier().Wait();

    /// <summary>
    /// Makes another group a part of this one, while clients of both work. When this returns true, every change is one that the clients of
    /// both are told of, or is over: now a share may be opened that reaches files of both. False when a change that began earlier does
    /// not end. Nothing is wrong then, and it may be tried again: the groups are one, or two, and no share reaches files of both.
    /// </summary>
    public bool TryTakeIn(ShareGroup other)
    {
        lock (Uniting)
        {
            (ShareGroup whole, ShareGroup part) = (Whole, other.Whole);
            if (whole != part)
            {
                // First: a name that two clients of the part change must not be locked in one place by one and in another by the next.
                if (!part.NameLocks.TryTakeOver(whole.NameLocks, JoinPatience))
                {
                    return false;
                }

                whole.TakeIn(part);
            }

            return whole._settled.Wait(JoinPatience);
        }
    }

    /// <summary>
    /// Do both tell the same clients of their changes? Not before the last change has ended that was told to those of one only: until then
    /// a watcher takes what the other one does for what the host does, and tells all of it.
    /// </summary>
    internal bool IsOneWith(ShareGroup other)
    {
        if (this == other)
        {
            return true;
        }

        ShareGroup whole = Whole;
        return whole == other.Whole && whole._isSettled;
    }

    private void TakeIn(ShareGroup part)
    {
        Task[] settled;
        TaskCompletionSource settles = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Membership)
        {
            settled = [_settled, part._settled];
            _settled = settles.Task;
            _isSettled = false;
            _notesNames |= part._notesNames;
            Interlocked.Add(ref _slotsMovedByHost, part._slotsMovedByHost);
            _events.TakeIn(part._events);
            if (part.OwnLog is { } partLog)
            {
                log?.Continue(partLog);
            }

            // The views of both before the part says where it has gone: a change sees all of them from there on.
            _views = [.. _views, .. part._views];
            part._takenInBy = this;
            part._views = [];
        }

        _ = Task.WhenAll([.. settled, _underWay.WaitForEarlier(), part._underWay.WaitForEarlier()])
            .ContinueWith(earlier => Settle(earlier, settles), TaskScheduler.Default);
    }

    private void Settle(Task earlier, TaskCompletionSource settles)
    {
        try
        {
            earlier.GetAwaiter().GetResult();
            _isSettled = true;
            // What such a change did to a file that both reached already, by a hard link, a watcher may read only now that it takes it for
            // one that all were told of.
            MoveEpochs(ChangeActor.Daemon("shares came to reach the same files"));
            settles.SetResult();
        }
        catch (Exception fault)
        {
            settles.SetException(fault);
        }
    }

    private Task WaitForEarlier()
    {
        Task settled = _settled;
        Task earlier = _underWay.WaitForEarlier();
        return settled.IsCompleted ? earlier : Task.WhenAll(settled, earlier);
    }

    /// <summary>
    /// Announces a change, before the views are read: who joins waits for those that may have read them before. So does who takes this
    /// group in: a change that finds no group behind this one is one of those.
    /// </summary>
    /// <returns>The group in which it is.</returns>
    private ShareGroup Enter(out int ticket)
    {
        while (true)
        {
            ShareGroup whole = Whole;
            ticket = whole._underWay.Enter();
            if (whole._takenInBy is null)
            {
                return whole;
            }

            whole._underWay.Exit(ticket);
        }
    }

    /// <summary>Writes down a change that was made beside the daemon, before <see cref="Changed"/> moves its slots.</summary>
    public void Noticed(in HostChange change)
    {
        if (Log is { } log)
        {
            ChangeActor actor = change.ProcessId == HostChange.UnknownProcess
                ? default
                : ChangeActor.Host(change.ProcessId, CommandNames.OfThread.Find(change.ProcessId));
            EndNoticedElsewhere(log);
            log.BeginMoves(change.Operation, actor, change.Keys, change.Directory, change.Name);
            t_noticedIn = log;
            t_noticed++;
        }
    }

    /// <summary>Tells all of a change that was made beside the daemon and is over.</summary>
    public void Changed(ReadOnlySpan<SlotKey> slots)
    {
        int told = MoveInAll(slots);
        Interlocked.Add(ref Whole._slotsMovedByHost, (long)told * slots.Length);
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
        ChangeLog? log = Log;
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
        ShareGroup whole = Enter(out int ticket);
        try
        {
            ShareView[] views = whole._views;
            foreach (ShareView view in views)
            {
                view.Move(slots);
            }

            return views.Length;
        }
        finally
        {
            whole._underWay.Exit(ticket);
        }
    }

    private void MoveEpochs(in ChangeActor actor, ShareView? target = null)
    {
        ChangeLog? log = Log;
        log?.BeginEpoch(ChangeOperation.Epoch, actor, target);
        // As above.
        ShareGroup whole = Enter(out int ticket);
        try
        {
            foreach (ShareView view in whole._views)
            {
                if (target is null || target == view)
                {
                    view.MoveAll();
                }
            }
        }
        finally
        {
            whole._underWay.Exit(ticket);
        }

        log?.EndMoves();
        EndNoticed();
    }

    private static void EndNoticed()
    {
        if (t_noticed > 0)
        {
            t_noticedIn!.EndMoves(t_noticed);
            t_noticed = 0;
        }
    }

    /// <summary>A thread's changes of before this group became part of another are written down in what was its log.</summary>
    private static void EndNoticedElsewhere(ChangeLog log)
    {
        if (t_noticedIn != log)
        {
            EndNoticed();
        }
    }
}
