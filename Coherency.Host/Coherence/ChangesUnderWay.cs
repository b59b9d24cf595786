namespace Coherency.Host.Coherence;

/// <summary>
/// Counts changes from beginning to end so that somebody can wait until all that began before now have ended, while others
/// begin. They are counted in two phases; who waits turns the phase over and watches the count of the old one run out. Twice,
/// for a change may have looked at the phase before the first turn and be counted after it.
/// </summary>
internal sealed class ChangesUnderWay
{
    /// <summary>Threads share counters by their number, so that they seldom write to the same cache line.</summary>
    private const int Stripes = 16;

    /// <summary>Counters of one stripe: a cache line, of which one counter for each phase is used.</summary>
    private const int StripeLength = 8;

    private readonly long[] _counts = new long[Stripes * StripeLength];
    private readonly Lock _waiting = new();
    private int _phase;

    /// <summary>Counts a change in, before it looks at anything that a waiter may have just changed.</summary>
    /// <returns>What <see cref="Exit"/> takes.</returns>
    public int Enter()
    {
        int stripe = Environment.CurrentManagedThreadId % Stripes;
        int ticket = (stripe * StripeLength) + Volatile.Read(ref _phase);
        Interlocked.Increment(ref _counts[ticket]);
        return ticket;
    }

    public void Exit(int ticket) => Interlocked.Decrement(ref _counts[ticket]);

    /// <summary>Waits until every change that was counted in before has been counted out; false when that takes too long.</summary>
    public bool TryWaitForEarlier(TimeSpan patience)
    {
        if (!_waiting.TryEnter(patience))
        {
            return false;
        }

        try
        {
            return TryRunOut(patience) && TryRunOut(patience);
        }
        finally
        {
            _waiting.Exit();
        }
    }

    /// <summary>Turns the phase over, once the counts of the new one have run out, and waits for those of the old one.</summary>
    private bool TryRunOut(TimeSpan patience)
    {
        int old = _phase;
        if (!TryWaitForZero(1 - old, patience))
        {
            return false;
        }

        Interlocked.Exchange(ref _phase, 1 - old);
        return TryWaitForZero(old, patience);
    }

    private bool TryWaitForZero(int phase, TimeSpan patience)
    {
        for (int stripe = 0; stripe < Stripes; stripe++)
        {
            int counter = (stripe * StripeLength) + phase;
            // Zero seen once is enough: who is counted in later has looked at what the waiter changed.
            if (!SpinWait.SpinUntil(() => Volatile.Read(ref _counts[counter]) == 0, patience))
            {
                return false;
            }
        }

        return true;
    }
}
