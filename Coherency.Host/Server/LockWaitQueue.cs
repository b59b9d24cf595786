using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// Requests that wait for a lock, of every session of the daemon. Nobody waits in a system call: a waiting request holds no
/// thread and no queue. One thread tries the waiting ones again, oldest first, when a lock may have been freed through the
/// daemon, and every <see cref="HostRetryMs"/> because a program of the host may have freed one.
/// </summary>
/// <remarks>
/// A request that waits belongs to this queue. Lock order: this queue's lock is taken last, so replies are sent outside of it.
/// </remarks>
public sealed class LockWaitQueue : IDisposable
{
    /// <summary>Waiting requests of one session: more is a guest that wants memory, not locks.</summary>
    private const int WaitsPerSessionMax = 1024;

    /// <summary>How often locks that programs of the host hold are tried, in milliseconds.</summary>
    private const int HostRetryMs = 20;

    private readonly Lock _lock = new();
    private readonly List<Waiting> _waiting = [];
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private volatile bool _hasWaiting;
    private volatile bool _stopping;

    public LockWaitQueue()
    {
        _thread = new Thread(Run) { Name = "lock-waits", IsBackground = true };
        _thread.Start();
    }

    /// <summary>
    /// Takes a request over until its lock is free; ENOLCK when too many wait already. Like every operation, the request is
    /// then replied to by whoever gets the error.
    /// </summary>
    public Errno Park(FuseSession session, FuseRequest request, in LockAttempt attempt)
    {
        lock (_lock)
        {
            if (_waiting.Count(w => w.Session == session) >= WaitsPerSessionMax)
            {
                return Errno.ENOLCK;
            }

            request.Channel.Park(request);
            _waiting.Add(new Waiting(session, request, attempt));
            _hasWaiting = true;
        }

        _wake.Set();
        return Errno.None;
    }

    /// <summary>A lock was freed, or may have been. Cheap when nobody waits.</summary>
    public void LocksMayBeFree()
    {
        if (_hasWaiting)
        {
            _wake.Set();
        }
    }

    /// <summary>Gives up one request, which is answered with EINTR.</summary>
    public void Cancel(FuseSession session, ulong unique) => Cancel(w => w.Session == session && w.Request.Unique == unique);

    /// <summary>Gives up all requests of a session: its file system goes.</summary>
    public void CancelAll(FuseSession session) => Cancel(w => w.Session == session);

    /// <summary>Gives up all requests of a channel: its queue stops.</summary>
    public void CancelAll(FuseChannel channel) => Cancel(w => w.Request.Channel == channel);

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread.Join();
        _wake.Dispose();
    }

    private void Cancel(Predicate<Waiting> which)
    {
        List<Waiting> cancelled;
        lock (_lock)
        {
            cancelled = _waiting.FindAll(which);
            _waiting.RemoveAll(which);
            _hasWaiting = _waiting.Count > 0;
        }

        foreach (Waiting waiting in cancelled)
        {
            Answer(waiting, Errno.EINTR);
        }
    }

    private void Run()
    {
        while (!_stopping)
        {
            _wake.WaitOne(_hasWaiting ? HostRetryMs : Timeout.Infinite);
            TryAll();
        }
    }

    private void TryAll()
    {
        List<(Waiting Waiting, Errno Result)>? done = null;
        lock (_lock)
        {
            for (int i = 0; i < _waiting.Count; i++)
            {
                Errno result = _waiting[i].Attempt.Try();
                if (result != Errno.EAGAIN)
                {
                    (done ??= []).Add((_waiting[i], result));
                    _waiting.RemoveAt(i--);
                }
            }

            _hasWaiting = _waiting.Count > 0;
        }

        foreach ((Waiting waiting, Errno result) in done ?? [])
        {
            Answer(waiting, result);
        }
    }

    private static void Answer(Waiting waiting, Errno result)
    {
        FuseRequest request = waiting.Request;
        waiting.Session.Counters.FinishWait(request, result);
        if (result == Errno.None)
        {
            request.ReplySuccess();
        }
        else
        {
            request.ReplyError(result);
        }
    }

    private sealed record Waiting(FuseSession Session, FuseRequest Request, LockAttempt Attempt);
}
