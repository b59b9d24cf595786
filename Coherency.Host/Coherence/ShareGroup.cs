using Coherency.Core.Versioning;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Host.Coherence;

/// <summary>
/// The clients of one share, or of several that overlap, and the one place that every change of theirs passes: a file system
/// operation opens a scope with what it may touch before its system calls, and disposes it before it returns. Thread-safe.
/// </summary>
public sealed class ShareGroup : IHostChanges
{
    /// <summary>A change lasts as long as its system call: long only where a file system stands still.</summary>
    private static readonly TimeSpan JoinPatience = TimeSpan.FromSeconds(10);

    private readonly ChangesUnderWay _underWay = new();
    private readonly Lock _membership = new();
    private volatile ShareView[] _views = [];
    private long _slotsMovedByHost;

    /// <summary>Slots that changes beside the daemon moved so far; one in three tables counts three times.</summary>
    public long SlotsMovedByHost => Volatile.Read(ref _slotsMovedByHost);

    /// <summary>Keep changes of one name apart, by whichever share they come.</summary>
    internal NameLocks NameLocks { get; } = new();

    /// <summary>Begins a change in the view of every client but the one that makes it, which knows of it anyhow.</summary>
    /// <param name="touched">At most <see cref="MutationScope.TouchedMax"/>; must live as long as the scope.</param>
    public MutationScope Begin(ShareView? actor, ReadOnlySpan<TouchedObject> touched)
    {
        // Announced before the views are read: who joins waits for those that may have read them before.
        int ticket = _underWay.Enter();
        return new MutationScope(_underWay, ticket, _views, actor, touched);
    }

    /// <summary>
    /// Lets a client take part. When this returns true, every change is one that it is told of, or is over: what it asks for
    /// from now on it may cache. False when a change that began earlier does not end; then it takes no part.
    /// </summary>
    public bool TryJoin(ShareView view)
    {
        lock (_membership)
        {
            if (!_views.Contains(view))
            {
                _views = [.. _views, view];
            }
        }

        if (_underWay.TryWaitForEarlier(JoinPatience))
        {
            return true;
        }

        Leave(view);
        return false;
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
    public void WaitForEarlierChanges() => _underWay.TryWaitForEarlier(Timeout.InfiniteTimeSpan);

    /// <summary>Tells all of a change that was made beside the daemon and is over.</summary>
    public void Changed(ReadOnlySpan<SlotKey> slots)
    {
        foreach (ShareView view in _views)
        {
            view.Move(slots);
            Interlocked.Add(ref _slotsMovedByHost, slots.Length);
        }
    }

    /// <summary>Tells all that changes were made of which nobody knows what they touched.</summary>
    public void Lost()
    {
        foreach (ShareView view in _views)
        {
            view.MoveAll();
        }
    }
}
