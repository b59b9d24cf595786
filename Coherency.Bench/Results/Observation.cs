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
/// <param name="Samples">One per round, in the unit of the quantity; none where the contender could not be measured, and the remark says
/// why.</param>
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
    /// <summary>Begins a remark on a program that did not do what it should have done: its time is no achievement.</summary>
    public const string Wrong = "wrong: ";

    /// <summary>Of what the samples are: equal in two observations whose samples may be taken together or compared.</summary>
    public object GetKey() => (Level, Scenario, Conditions, Contender, Quantity);
}

/// <summary>
/// What a number of a <see cref="Observation"/> means; <see cref="Readable"/> has the words and units, <see cref="Quantities"/> the
/// directions.
/// </summary>
public enum Quantity
{
    /// <summary>Seconds that a whole program took.</summary>
    Duration,

    /// <summary>Median latency of an operation, in microseconds.</summary>
    LatencyP50,

    /// <summary>99th percentile of an operation's latency, in microseconds.</summary>
    LatencyP99,

    /// <summary>Operations completed in a second.</summary>
    Rate,

    /// <summary>FUSE requests per operation, or of a whole program; exact.</summary>
    Requests,

    /// <summary>Processor time of the daemon, in microseconds per request.</summary>
    DaemonCpu,

    /// <summary>Processor time of the guest (the virtual machine, or the driver in user space), in microseconds per request.</summary>
    GuestCpu,

    /// <summary>The daemon's own resident memory, in bytes per inode that the guest looked up.</summary>
    InodeMemory,

    /// <summary>The daemon's own resident memory, in bytes.</summary>
    Memory,

    /// <summary>File descriptors that the daemon has more than before.</summary>
    Descriptors,

    /// <summary>Nanoseconds of one call.</summary>
    CallTime,
}

/// <summary>Direction of each <see cref="Quantity"/>.</summary>
public static class Quantities
{
    /// <summary>Of two figures, is the larger one better?</summary>
    public static bool IsLargerBetter(this Quantity quantity) => quantity == Quantity.Rate;

    /// <summary>Counts, which repeat exactly; the rest are measured and vary.</summary>
    public static bool IsExact(this Quantity quantity) => quantity is Quantity.Requests or Quantity.Descriptors;
}
