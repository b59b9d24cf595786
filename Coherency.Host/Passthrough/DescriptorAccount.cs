namespace Coherency.Host.Passthrough;

/// <summary>
/// The descriptors that one session keeps for longer than a request: of what it has open, of locks, and of inodes that it holds
/// which would be gone without. Sessions share the budget by a dynamic threshold: each may keep at most
/// <see cref="KeptPerFree"/> times as many as are still free. So one that takes all it can leaves a quarter to the next, two leave
/// a seventh, and nobody has to say beforehand how many there will be. Thread-safe.
/// </summary>
/// <param name="owner">Whose it is, for the log.</param>
internal sealed class DescriptorAccount(DescriptorBudget budget, string owner)
{
    private const int KeptPerFree = 3;

    private int _kept;
    private int _reported;

    /// <summary>What the session keeps now.</summary>
    public int Kept => Volatile.Read(ref _kept);

    /// <summary>It keeps so many that what can be done without is let go.</summary>
    public bool IsCrowded => Kept > budget.AvailableToKeep;

    /// <summary>Takes a descriptor from the budget for the session; false (ENFILE) when it has all that it may.</summary>
    public bool TryTake()
    {
        if (!TryCharge())
        {
            return false;
        }

        if (budget.TryTake())
        {
            return true;
        }

        Uncharge();
        return false;
    }

    /// <summary>Gives back what <see cref="TryTake"/> took.</summary>
    public void Return()
    {
        budget.Return();
        Uncharge();
    }

    /// <summary>Lets the session pay for a descriptor that is there for others too.</summary>
    public bool TryCharge()
    {
        int kept = Interlocked.Increment(ref _kept);
        if (kept <= (long)KeptPerFree * budget.AvailableToKeep)
        {
            return true;
        }

        Uncharge();
        if (Interlocked.Exchange(ref _reported, 1) == 0)
        {
            budget.Report(
                $"{owner} keeps {kept - 1} file descriptors of {budget.Limit}, which is all that it may while others need some: its " +
                "requests that need one fail with ENFILE, and so does removing what it may have open. Raise the limit (ulimit -n, " +
                "LimitNOFILE=).");
        }

        return false;
    }

    /// <summary>The same for one that is there already, whether or not it may.</summary>
    public void ChargeIf(bool costs) => Interlocked.Add(ref _kept, costs ? 1 : 0);

    public void UnchargeIf(bool costs)
    {
        if (costs)
        {
            Uncharge();
        }
    }

    public void Uncharge()
    {
        int kept = Interlocked.Decrement(ref _kept);
        if (Volatile.Read(ref _reported) != 0 && kept < (long)KeptPerFree * budget.AvailableToKeep * 9 / 10)
        {
            Volatile.Write(ref _reported, 0);
        }
    }
}
