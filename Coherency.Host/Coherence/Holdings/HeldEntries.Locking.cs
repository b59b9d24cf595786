namespace Coherency.Host.Coherence.Holdings;

// Requests go before queries: a query that holds the lock looks often whether a request waits, and lets it pass.
public sealed partial class HeldEntries
{
    /// <summary>A query lets go within a microsecond: to sleep until then would take longer.</summary>
    private const int RequestSpinsMax = 64;

    private readonly Lock _lock = new();
    private int _waitingRequests;

    private bool IsWanted => Volatile.Read(ref _waitingRequests) > 0;

    /// <summary>Between two turns of a query.</summary>
    internal void LetRequestsPass()
    {
        SpinWait spin = default;
        while (IsWanted && !spin.NextSpinWillYield)
        {
            spin.SpinOnce();
        }

        Thread.Yield();
    }

    private RequestHold EnterForRequest()
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

    private readonly ref struct RequestHold(Lock held)
    {
        public void Dispose() => held.Exit();
    }
}
