namespace Coherency.Bench.Results;

/// <summary>Which part of the system did the work that was measured.</summary>
public enum BenchLevel
{
    /// <summary>The version table, in one process.</summary>
    Table,

    /// <summary>A daemon, driven by a guest in user space.</summary>
    Daemon,

    /// <summary>Programs in virtual machines.</summary>
    Guests,
}

/// <summary>What the guest had cached when a measurement began.</summary>
public enum CacheState
{
    /// <summary>The question makes no sense for this measurement.</summary>
    None,

    /// <summary>Nothing: mounted anew, caches dropped.</summary>
    Cold,

    /// <summary>All that the same program left when it ran before; twice before, if it changes nothing.</summary>
    Warm,
}

/// <summary>Under which conditions a scenario was measured.</summary>
/// <param name="Depth">Operations in flight for each queue; 0 where that is the program's own affair.</param>
/// <param name="Queues">Request queues of each guest.</param>
/// <param name="Guests">Guests that work at the same time.</param>
/// <param name="State">Of the guest's cache.</param>
/// <param name="Size">Number of inodes, slots or files, where that is varied; 0 otherwise.</param>
public sealed record Conditions(int Depth = 0, int Queues = 1, int Guests = 1, CacheState State = CacheState.None, long Size = 0);

/// <summary>What one contender was found to take in one scenario, under the same conditions as all others.</summary>
/// <param name="Scenario">Name on the command line, such as <c>lookup</c> or <c>git-status</c>.</param>
/// <param name="Title">For people, such as <c>LOOKUP</c> or <c>git status of 20,000 files</c>.</param>
/// <param name="Samples">One per round, in the unit of the quantity; none where the contender could not be measured, and the remark says why.</param>
/// <param name="Remark">What a reader must know beside the figure; null for nothing.</param>
public sealed record Observation(
    BenchLevel Level,
    string Scenario,
    string Title,
    Conditions Conditions,
    string Contender,
    Quantity Quantity,
    IReadOnlyList<double> Samples,
    string? Remark = null)
{
    /// <summary>Of what the samples are: equal in two observations whose samples may be taken together or compared.</summary>
    public object GetKey() => (Level, Scenario, Conditions, Contender, Quantity);
}
