namespace Coherency.Host.Passthrough;

/// <summary>
/// The inodes that one session holds. As with descriptors (<see cref="DescriptorAccount"/>), it may have three times as many as are
/// still free. Thread-safe.
/// </summary>
/// <param name="owner">Whose it is, for the log.</param>
internal sealed class InodeAccount(InodeBudget budget, string owner)
{
    private const int HeldPerFree = 3;

    private long _held;
    private int _reported;

    /// <summary>One more; false (ENOMEM) when the session has all that it may.</summary>
    public bool TryCharge()
    {
        Charge();
        long held = Volatile.Read(ref _held);
        if (held <= HeldPerFree * (budget.Limit - budget.Used))
        {
            return true;
        }

        Uncharge();
        if (Interlocked.Exchange(ref _reported, 1) == 0)
        {
            budget.Report(
                $"{owner} holds {held - 1} inodes of {budget.Limit} that there is memory for, which is all that it may while others " +
                "need some: it gets ENOMEM for more, until it forgets some.");
        }

        return false;
    }

    /// <summary>The same for one that is held already, whether or not it may.</summary>
    public void Charge()
    {
        Interlocked.Increment(ref _held);
        budget.Add(1);
    }

    public void Uncharge()
    {
        Interlocked.Decrement(ref _held);
        budget.Add(-1);
    }

    /// <summary>The session has ended.</summary>
    public void UnchargeAll() => budget.Add(-Interlocked.Exchange(ref _held, 0));
}
