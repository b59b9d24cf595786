using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Faults;

namespace Coherency.Host.Coherence.Events;

/// <summary>
/// Tells the clients of a group what others change, if they want to hear of it. A change is raised after its slots have moved and before
/// whoever made it gets the reply: who hears of it and looks finds it, or a later one. While nobody listens that costs a look at
/// <see cref="AreWanted"/>. A thread, which is there as long as somebody listens, answers the requests that wait.
/// </summary>
public sealed class ShareEvents
{
    /// <summary>Of all groups: a client must not be added to one that becomes part of another.</summary>
    private static readonly Lock Membership = new();

    private readonly object _wake = new();
    private readonly ExpectedCloses _closes = new();
    private volatile EventSubscriber[] _subscribers = [];
    private volatile ShareEvents? _takenInBy;
    private Thread? _thread;
    private int _isAwake;
    private uint _lastCookie;
    private EventCounts _past;
    private Action<bool>? _wantedChanged;

    private volatile bool _areWanted;

    /// <summary>Somebody listens to changes.</summary>
    public bool AreWanted => Whole._areWanted;

    public int Subscribers => Whole._subscribers.Length;

    private ShareEvents Whole
    {
        get
        {
            ShareEvents whole = this;
            while (whole._takenInBy is { } next)
            {
                whole = next;
            }

            return whole;
        }
    }

    /// <summary>Who is to be told now.</summary>
    private EventSubscriber[] Audience
    {
        get
        {
            ShareEvents events = this;
            while (true)
            {
                // In this order: they have gone before it is seen where.
                EventSubscriber[] subscribers = events._subscribers;
                if (events._takenInBy is not { } next)
                {
                    return subscribers;
                }

                events = next;
            }
        }
    }

    /// <summary>Of all clients since the start.</summary>
    public EventCounts Counts
    {
        get
        {
            lock (Membership)
            {
                ShareEvents whole = Whole;
                return whole._subscribers.Aggregate(whole._past, static (sum, subscriber) => sum + subscriber.Queue.Counts);
            }
        }
    }

    /// <summary>When this returns, the client is told of every change that has not been raised yet.</summary>
    public void Subscribe(EventSubscriber subscriber)
    {
        lock (Membership)
        {
            Whole.Add(subscriber);
        }
    }

    /// <summary>Has one that listens hear of other things than before, from the return of this on.</summary>
    public void Want(EventSubscriber subscriber, FileEventKinds kinds, bool locks)
    {
        lock (Membership)
        {
            Whole.BeginFor(kinds);
            subscriber.Wanted = kinds;
            subscriber.WantsLocks = locks;
            Whole.EndForNobody();
        }
    }

    /// <summary>Tells one client that a lock may be free on an inode that it knows by a key; on any if that is 0.</summary>
    public void TellLock(EventSubscriber subscriber, ulong key)
    {
        if (!subscriber.WantsLocks)
        {
            return;
        }

        if (key == 0)
        {
            subscriber.Queue.AddAllLocks();
        }
        else
        {
            subscriber.Queue.AddLock(key);
        }

        WakeFor(subscriber);
    }

    /// <summary>Ends that; a request that waits is answered. Harmless when it has ended before.</summary>
    public void Unsubscribe(EventSubscriber subscriber)
    {
        lock (Membership)
        {
            Whole.RemoveIfThere(subscriber);
        }

        subscriber.End();
        Wake();
    }

    /// <summary>Has a watcher learn whether somebody listens, now and when that changes: then before it is listened for.</summary>
    internal void Follow(Action<bool> wantedChanged)
    {
        lock (Membership)
        {
            Whole._wantedChanged += wantedChanged;
            wantedChanged(AreWanted);
        }
    }

    internal void Unfollow(Action<bool> wantedChanged)
    {
        lock (Membership)
        {
            Whole._wantedChanged -= wantedChanged;
        }
    }

    /// <summary>
    /// Makes another group's clients, watchers and expectations this one's: from the return of this on, each client is told what those of
    /// both change.
    /// </summary>
    internal void TakeIn(ShareEvents part)
    {
        lock (Membership)
        {
            BeginFor(part._areWanted ? FileEventKinds.All : FileEventKinds.None);
            if (_areWanted && !part._areWanted)
            {
                part._wantedChanged?.Invoke(true);
            }

            _wantedChanged += part._wantedChanged;
            _past += part._past;
            EventSubscriber[] subscribers = part._subscribers;
            foreach (EventSubscriber subscriber in subscribers)
            {
                Add(subscriber);
            }

            part._takenInBy = this;
            part._subscribers = [];
        }

        part._closes.MoveTo(_closes);
        // Of what has been added meanwhile only the other thread may have been told, which ends.
        part.Wake();
    }

    /// <summary>A client that does not tell when it closes files has changed one, and has it open perhaps.</summary>
    internal void ExpectClose(IFileCloser closer, ulong node)
    {
        ShareEvents whole;
        do
        {
            whole = Whole;
            whole._closes.Expect(closer, node);
        }
        while (whole._takenInBy is not null);
        Wake();
    }

    /// <summary>It has said that it has the file open no more.</summary>
    internal void NoteClosed(IFileCloser closer, ulong node)
    {
        if (AreWanted && Whole._closes.IsOver(closer, node))
        {
            Wake();
        }
    }

    /// <summary>Nothing more is expected of a client.</summary>
    internal void ForgetCloses(IFileCloser closer)
    {
        ShareEvents whole;
        do
        {
            whole = Whole;
            whole._closes.Forget(closer);
        }
        while (whole._takenInBy is not null);
    }

    /// <summary>Tells of a change.</summary>
    /// <param name="actor">Who made it, and is not told; null for nobody here.</param>
    public void Raise(ShareView? actor, in FileEvent happened, bool looksForRemoval = false)
    {
        foreach (EventSubscriber subscriber in Audience)
        {
            if (subscriber.View != actor && TryReduce(subscriber, happened, out FileEvent told))
            {
                subscriber.Queue.Add(told, looksForRemoval && told.Child != 0 ? EventLook.Removed : EventLook.None);
                WakeFor(subscriber);
            }
        }
    }

    /// <summary>Tells of a rename, of which each client gets the halves whose directories it knows.</summary>
    /// <returns>What pairs them.</returns>
    public uint RaiseRename(ShareView? actor, in FileEvent old, in FileEvent present)
    {
        uint cookie = NextCookie();
        FileEvent first = old with { Kinds = FileEventKinds.MovedFrom | (old.Kinds & FileEventKinds.IsDirectory), Cookie = cookie };
        FileEvent second = present with { Kinds = FileEventKinds.MovedTo | (present.Kinds & FileEventKinds.IsDirectory), Cookie = cookie };
        RaisePair(actor, first, second, EventLook.None);
        return cookie;
    }

    /// <summary>Tells that a name was made and removed, or the other way round, which nobody knows.</summary>
    public void RaiseMadeAndRemoved(ShareView? actor, in FileEvent happened)
    {
        FileEventKinds type = happened.Kinds & FileEventKinds.IsDirectory;
        RaisePair(
            actor, happened with { Kinds = FileEventKinds.Create | type }, happened with { Kinds = FileEventKinds.Delete | type },
            EventLook.Order | EventLook.Removed);
    }

    /// <summary>Tells that something changed in a directory or of an inode, and not what.</summary>
    public void RaiseLost(ShareView? actor, ulong key)
    {
        foreach (EventSubscriber subscriber in Audience)
        {
            if (subscriber.View != actor && subscriber.Wanted != FileEventKinds.None && subscriber.IsToldOf(key))
            {
                subscriber.Queue.LoseOf(key);
                WakeFor(subscriber);
            }
        }
    }

    /// <summary>Tells that anything may have changed.</summary>
    public void RaiseLostAll()
    {
        foreach (EventSubscriber subscriber in Audience)
        {
            if (subscriber.Wanted != FileEventKinds.None)
            {
                subscriber.Queue.LoseAll();
                WakeFor(subscriber);
            }
        }
    }

    /// <summary>Has the thread look whether there is something to do.</summary>
    internal void Wake()
    {
        if (Interlocked.Exchange(ref _isAwake, 1) == 0)
        {
            lock (_wake)
            {
                Monitor.Pulse(_wake);
            }
        }

        // After the exchange: who takes this in wakes the other one after that.
        _takenInBy?.Wake();
    }

    /// <summary>With the membership locked.</summary>
    private void Add(EventSubscriber subscriber)
    {
        BeginFor(subscriber.Wanted);
        _subscribers = [.. _subscribers, subscriber];
        _thread ??= GuardedThread.Start("events", Run, static _ => { });
    }

    /// <summary>With the membership locked.</summary>
    private void RemoveIfThere(EventSubscriber subscriber)
    {
        if (_subscribers.Contains(subscriber))
        {
            _subscribers = [.. _subscribers.Where(other => other != subscriber)];
            _past += subscriber.Queue.Counts with { Pending = 0 };
            EndForNobody();
        }
    }

    /// <summary>With the membership locked, before somebody listens to changes.</summary>
    private void BeginFor(FileEventKinds kinds)
    {
        if (!_areWanted && kinds != FileEventKinds.None)
        {
            _wantedChanged?.Invoke(true);
            _areWanted = true;
        }
    }

    /// <summary>With the membership locked.</summary>
    private void EndForNobody()
    {
        if (_areWanted && _subscribers.All(static subscriber => subscriber.Wanted == FileEventKinds.None))
        {
            _areWanted = false;
            _closes.Clear();
            _wantedChanged?.Invoke(false);
        }
    }

    private void RaisePair(ShareView? actor, in FileEvent first, in FileEvent second, EventLook look)
    {
        foreach (EventSubscriber subscriber in Audience)
        {
            if (subscriber.View == actor)
            {
                continue;
            }

            bool hearsFirst = TryReduce(subscriber, first, out FileEvent toldFirst);
            bool hearsSecond = TryReduce(subscriber, second, out FileEvent toldSecond);
            if (hearsFirst && hearsSecond)
            {
                subscriber.Queue.Add(toldFirst, toldSecond, look);
            }
            else if (hearsFirst || hearsSecond)
            {
                subscriber.Queue.Add(hearsFirst ? toldFirst : toldSecond, look & EventLook.Removed);
            }

            if (hearsFirst || hearsSecond)
            {
                WakeFor(subscriber);
            }
        }
    }

    /// <summary>What a client may hear of a change; false for nothing.</summary>
    private static bool TryReduce(EventSubscriber subscriber, in FileEvent happened, out FileEvent told)
    {
        told = default;
        FileEventKinds kinds = happened.Kinds & subscriber.Wanted;
        if (kinds == FileEventKinds.None)
        {
            return false;
        }

        bool knowsDirectory = subscriber.IsToldOf(happened.Directory);
        bool knowsChild = subscriber.IsToldOf(happened.Child);
        told = happened with
        {
            Kinds = kinds | (happened.Kinds & FileEventKinds.IsDirectory),
            Directory = knowsDirectory ? happened.Directory : 0,
            Name = knowsDirectory ? happened.Name : default,
            Child = knowsChild ? happened.Child : 0,
        };
        // A name that came somewhere else changes the inode only as a link, which is told by itself.
        return knowsDirectory || (knowsChild && kinds != FileEventKinds.Create);
    }

    private void WakeFor(EventSubscriber subscriber)
    {
        // The event is there before the look: or a request that comes now, and finds none, would wait for the next.
        Interlocked.MemoryBarrier();
        if (subscriber.IsWaiting)
        {
            Wake();
        }
    }

    private uint NextCookie()
    {
        uint cookie = Interlocked.Increment(ref Whole._lastCookie);
        return cookie != 0 ? cookie : NextCookie();
    }

    private void Run()
    {
        byte[] block = new byte[ChannelConstants.BlockBytesMax];
        while (true)
        {
            EventSubscriber[] subscribers = _subscribers;
            // First: it may be what others wait for.
            int wait = _closes.TellDue();
            foreach (EventSubscriber subscriber in subscribers)
            {
                int next = ServeGuarded(subscriber, block);
                wait = next < 0 ? wait : wait < 0 ? next : Math.Min(wait, next);
            }

            lock (Membership)
            {
                if (_subscribers.Length == 0)
                {
                    _thread = null;
                    return;
                }
            }

            lock (_wake)
            {
                if (Volatile.Read(ref _isAwake) == 0)
                {
                    Monitor.Wait(_wake, wait);
                }
            }

            // Before the next look: what is added from here on wakes again.
            Interlocked.Exchange(ref _isAwake, 0);
        }
    }

    /// <summary>What one client's answer fails of, the others do not notice.</summary>
    private int ServeGuarded(EventSubscriber subscriber, Span<byte> block)
    {
        try
        {
            return subscriber.Serve(block);
        }
        catch (Exception unexpected)
        {
            subscriber.Report(unexpected);
            Unsubscribe(subscriber);
            return -1;
        }
    }
}
