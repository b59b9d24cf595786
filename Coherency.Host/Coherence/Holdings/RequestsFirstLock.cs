namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// A lock that requests get before queries: a query that holds it looks often whether a request waits, and lets it pass.
/// </summary>
internal sealed class RequestsFirstLock
{
    /// <summary>A query lets go within a microsecond: to sleep until then would take longer.</summary>
    private const int RequestSpinsMax = 64;

    private readonly Lock _lock = new();
    private int _waitingRequests;

    /// <summary>A request waits.</summary>
    public bool IsWanted => Volatile.Read(ref _waitingRequests) > 0;

    public Lock.Scope EnterForQuery() => _lock.EnterScope();

    public RequestHold EnterForRequest()
    {
        if (!_lock.TryEnter())
        {
            Interlocked.Increment(ref _waitingRequests);
            if (!TryEnterSoon())
            {
                _lock.Enter();
            }

            Interlocked.Decrement(ref _waitingRequests);
        }

        return new RequestHold(_lock);
    }

    /// <summary>Between two turns of a query.</summary>
    public void LetRequestsPass()
    {
        SpinWait spin = default;
        while (IsWanted && !spin.NextSpinWillYield)
        {
            spin.SpinOnce();
        }

        Thread.Yield();
    }

    private bool TryEnterSoon()
    {
        for (int i = 0; i < RequestSpinsMax; i++)
        {
            Thread.SpinWait(4);
            if (_lock.TryEnter())
            {
                return true;
            }
        }

        return false;
    }

    internal readonly ref struct RequestHold(Lock held)
    {
        public void Dispose() => held.Exit();
    }
}
