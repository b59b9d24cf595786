using Coherency.Host.Faults;

namespace Coherency.Host.Coherence;

/// <summary>
/// Counts changes from beginning to end so that somebody can wait until all that began before now have ended, while others
/// begin. They are counted in two phases; who waits turns the phase over and watches the count of the old one run out.
/// </summary>
internal sealed class ChangesUnderWay
{
    /// <summary>Threads share counters by their number, so that they seldom write to the same cache line.</summary>
    private const int Stripes = 16;

    /// <summary>Counters of one stripe: a cache line, of which one counter for each phase is used.</summary>
    private const int StripeLength = 8;

    /// <summary>How long nobody needs a thread of its own to wait.</summary>
    private static readonly TimeSpan Promptly = TimeSpan.FromMilliseconds(20);

    private readonly long[] _counts = new long[Stripes * StripeLength];
    private readonly object _gate = new();

    /// <summary>One waits at a time, and none gives up: so the phase that is turned to has run out.</summary>
    private bool _isAwaited;
    private int _phase;

    /// <summary>Counts a change in, before it looks at anything that a waiter may have just changed.</summary>
    /// <returns>What <see cref="Exit"/> takes.</returns>
    public int Enter()
    {
        int stripe = Environment.CurrentManagedThreadId % Stripes * StripeLength;
        while (true)
        {
            int phase = Volatile.Read(ref _phase);
            // Fully ordered, as is the turn: either the waiter finds this count, or this finds that the phase has turned. Then the
            // change is one of those that nobody waits for.
            Interlocked.Increment(ref _counts[stripe + phase]);
            if (Volatile.Read(ref _phase) == phase)
            {
                return stripe + phase;
            }

            Exit(stripe + phase);
        }
    }

    public void Exit(int ticket) => Interlocked.Decrement(ref _counts[ticket]);

    /// <summary>Completes when every change that was counted in before has been counted out, however many begin meanwhile.</summary>
    public Task WaitForEarlier()
    {
        if (!TryTurnOver(mayWait: false, out int old))
        {
            return Continue(() =>
            {
                TryTurnOver(mayWait: true, out old);
                AwaitEnd(old);
            });
        }

        if (!SpinWait.SpinUntil(() => HasRunOut(old), Promptly))
        {
            return Continue(() => AwaitEnd(old));
        }

        EndWait();
        return Task.CompletedTask;
    }

    private static Task Continue(Action wait)
    {
        TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);
        GuardedThread.Start(
            "changes",
            () =>
            {
                wait();
                over.SetResult();
            },
            over.SetException);
        return over.Task;
    }

    /// <param name="mayWait">For another that waits; otherwise false while one does.</param>
    private bool TryTurnOver(bool mayWait, out int old)
    {
        lock (_gate)
        {
            while (_isAwaited && mayWait)
            {
                Monitor.Wait(_gate);
            }

            old = _phase;
            bool isFree = !_isAwaited;
            if (isFree)
            {
                _isAwaited = true;
                Interlocked.Exchange(ref _phase, 1 - old);
            }

            return isFree;
        }
    }

    private void AwaitEnd(int phase)
    {
        SpinWait.SpinUntil(() => HasRunOut(phase));
        EndWait();
    }

    private void EndWait()
    {
        lock (_gate)
        {
            _isAwaited = false;
            Monitor.Pulse(_gate);
        }
    }

    private bool HasRunOut(int phase)
    {
        for (int stripe = 0; stripe < Stripes; stripe++)
        {
            // None is added any more, but for a moment by who has not seen the turn.
            if (Volatile.Read(ref _counts[(stripe * StripeLength) + phase]) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
