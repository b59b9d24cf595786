using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Faults;

namespace Coherency.Host.Server;

/// <summary>
/// Requests of a session that wait for what passes by itself: a lock that somebody holds, a lease that a program of the host has to
/// give up within /proc/sys/fs/lease-break-time, files that a client need not keep open much longer. None of them holds a thread, and
/// a queue goes on beside those that wait. A thread of the session's own, started with the first of them, tries each again, oldest first:
/// when a lock may have been freed through the daemon (<see cref="LockWaits"/>), and every <see cref="RetryMs"/> because nobody tells what
/// the host does.
/// </summary>
/// <remarks>
/// A request that waits belongs to this queue. While it is tried, it belongs to the thread that tries, and the lock is not held.
/// </remarks>
internal sealed class RetryQueue(FuseSession session, LockWaits lockWaits) : IDisposable
{
    /// <summary>Requests that wait for something else than a lock: more is a guest that wants memory, not files.</summary>
    private const int WaitsMax = 128;

    /// <summary>More is a guest that wants memory, not locks.</summary>
    private const int LockWaitsMax = 16384;

    private const int RetryMs = 20;

    /// <summary>
    /// How long a request for a lock waits of a client that asks again, in milliseconds. A process of a virtual machine can be neither
    /// interrupted nor killed while its request is under way, and the request has a place of the queue.
    /// </summary>
    private const int AskedAgainMs = 1000;

    /// <summary>
    /// Thousands of waiting requests must not take a processor from other guests: after all were tried the thread pauses for so many
    /// times as long as that took; more if there is no reason to think that a lock was freed.
    /// </summary>
    private const int PausePerTry = 4;
    private const int TickPerTry = 40;
    private const int PauseMaxMs = 1000;

    private readonly Lock _lock = new();
    private readonly List<WaitingRequest> _waiting = [];
    private readonly AutoResetEvent _wake = new(false);
    private readonly List<LockOwner> _holders = [];
    private Thread? _thread;
    private volatile bool _locksMayBeFree;
    private volatile bool _stopping;

    /// <summary>Takes a request over; EAGAIN when too many wait already.</summary>
    /// <param name="conversation">The one that it belongs to.</param>
    public Errno Park(FuseRequest request, FuseSession.Conversation? conversation)
    {
        lock (_lock)
        {
            if (_stopping || _waiting.Count(other => !other.WantsLock) >= WaitsMax)
            {
                return Errno.EAGAIN;
            }

            StartThread();
            Add(new WaitingRequest(request, conversation));
            return Errno.None;
        }
    }

    /// <summary>
    /// Takes a request over until its lock is free; ENOLCK when too many wait already, EDEADLK when it would wait for itself. Like
    /// every operation, the request is then replied to by whoever gets the error.
    /// </summary>
    public Errno Park(FuseRequest request, in LockAttempt attempt)
    {
        lock (_lock)
        {
            // Whoever has the lock needs the queue to give it up. A client that asks again leaves it from time to time.
            FuseChannel channel = request.Channel;
            bool fillsQueue = !session.AsksAgain && _waiting.Count(other => other.Request.Channel == channel) >= channel.ParkedMax;
            if (_stopping || fillsQueue || _waiting.Count >= LockWaitsMax)
            {
                return Errno.ENOLCK;
            }

            StartThread();
            WaitingRequest waiting = new(request, attempt);
            if (!lockWaits.TryAdd(this, waiting))
            {
                return Errno.EDEADLK;
            }

            Add(waiting);
            return Errno.None;
        }
    }

    /// <summary>A lock was freed, or may have been.</summary>
    public void LocksMayBeFree()
    {
        _locksMayBeFree = true;
        _wake.Set();
    }

    /// <summary>Gives up one request, which is answered with EINTR.</summary>
    public void Cancel(ulong unique) => Cancel(request => request.Unique == unique);

    /// <summary>Gives up all requests of a channel: its queue stops.</summary>
    public void CancelAll(FuseChannel channel) => Cancel(request => request.Channel == channel);

    /// <summary>Gives up all: the conversation ends.</summary>
    public void CancelAll() => Cancel(_ => true);

    public void Dispose()
    {
        lock (_lock)
        {
            _stopping = true;
        }

        CancelAll();
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
    }

    /// <summary>With the lock held, and before anything is noted of the request: where there is no thread, it fails.</summary>
    private void StartThread() => _thread ??= RequestThread.Start("retries", Run, session.LogFault);

    /// <summary>With the lock held.</summary>
    private void Add(WaitingRequest waiting)
    {
        waiting.Request.Channel.Park(waiting.Request);
        _waiting.Add(waiting);
        _wake.Set();
    }

    private void Cancel(Predicate<FuseRequest> which)
    {
        List<WaitingRequest> cancelled;
        lock (_lock)
        {
            cancelled = _waiting.FindAll(waiting => which(waiting.Request));
            cancelled.ForEach(waiting => waiting.IsCancelled = true);
            // One that is being tried is answered by who tries it.
            cancelled.RemoveAll(waiting => waiting.IsTried);
            _waiting.RemoveAll(waiting => waiting.IsCancelled && !waiting.IsTried);
        }

        cancelled.ForEach(GiveUp);
    }

    private void Run()
    {
        int tick = RetryMs;
        while (!_stopping)
        {
            _wake.WaitOne(AnyWaits() ? tick : Timeout.Infinite);
            long began = Stopwatch.GetTimestamp();
            // Before they are looked at: a lock that is freed from here on is looked for again.
            bool locksMayBeFree = _locksMayBeFree;
            _locksMayBeFree = false;
            Interlocked.MemoryBarrier();
            for (int i = 0; TryTake(ref i, locksMayBeFree, out WaitingRequest? waiting);)
            {
                i += Try(waiting) ? 0 : 1;
            }

            int took = (int)Math.Min(PauseMaxMs, Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            tick = Math.Clamp(took * TickPerTry, RetryMs, PauseMaxMs);
            Thread.Sleep(Math.Min(took * PausePerTry, PauseMaxMs));
        }
    }

    private bool HasWaitedLong(WaitingRequest waiting) =>
        waiting.WantsLock && session.AsksAgain && Environment.TickCount64 - waiting.Since >= AskedAgainMs;

    private bool AnyWaits()
    {
        lock (_lock)
        {
            return _waiting.Count > 0;
        }
    }

    /// <summary>Takes the first from an index on that is to be tried.</summary>
    /// <param name="locksMayBeFree">Also those whose lock a client held: who frees it says so.</param>
    private bool TryTake(
        ref int index, bool locksMayBeFree, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out WaitingRequest? waiting)
    {
        lock (_lock)
        {
            while (index < _waiting.Count && _waiting[index].IsHeldByClient && !locksMayBeFree && !HasWaitedLong(_waiting[index]))
            {
                index++;
            }

            waiting = index < _waiting.Count ? _waiting[index] : null;
            if (waiting is not null)
            {
                waiting.IsTried = true;
            }

            return waiting is not null;
        }
    }

    /// <summary>Carries a request out; false when it has to wait on.</summary>
    private bool Try(WaitingRequest waiting)
    {
        Errno errno = TryGuarded(waiting);
        lock (_lock)
        {
            waiting.IsTried = false;
            if (errno == Errno.ERESTART && !waiting.IsCancelled && !HasWaitedLong(waiting))
            {
                waiting.Request.Channel.Park(waiting.Request);
                return false;
            }

            _waiting.Remove(waiting);
        }

        if (errno == Errno.ERESTART)
        {
            GiveUp(waiting);
        }
        else if (waiting.WantsLock)
        {
            lockWaits.Remove(this, waiting);
        }

        return true;
    }

    /// <summary>Whatever fails, the others wait on.</summary>
    private Errno TryGuarded(WaitingRequest waiting)
    {
        FuseRequest request = waiting.Request;
        uint generation = request.Generation;
        Errno errno = Errno.EIO;
        GuardedThread.Guard(
            () => errno = waiting.WantsLock ? TryLock(waiting) : session.TryAgain(request, waiting.Conversation), session.LogFault);
        if (errno == Errno.EIO && request.IsUnanswered(generation))
        {
            session.EndWait(request, errno);
        }

        return errno;
    }

    private Errno TryLock(WaitingRequest waiting)
    {
        _holders.Clear();
        waiting.Lock.FindHolders(_holders);
        waiting.IsHeldByClient = _holders.Count > 0;
        Errno errno = waiting.IsHeldByClient ? Errno.EAGAIN : waiting.Lock.Try();
        if (errno is Errno.EAGAIN or Errno.ERESTART)
        {
            return Errno.ERESTART;
        }

        session.EndWait(waiting.Request, errno);
        return errno;
    }

    private void GiveUp(WaitingRequest waiting)
    {
        if (waiting.WantsLock)
        {
            lockWaits.Remove(this, waiting);
        }

        session.EndWait(waiting.Request, Errno.EINTR);
    }
}
