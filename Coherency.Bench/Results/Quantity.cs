namespace Coherency.Bench.Results;

/// <summary>What a number of a <see cref="Observation"/> means; <see cref="Quantities"/> has unit and direction of each.</summary>
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

    /// <summary>Cached entries per second that had to be asked for again though nothing of theirs had changed.</summary>
    FalseSharing,
}

/// <summary>Unit and direction of each <see cref="Quantity"/>.</summary>
public static class Quantities
{
    /// <summary>Of two figures, is the larger one better?</summary>
    public static bool IsLargerBetter(this Quantity quantity) => quantity == Quantity.Rate;

    /// <summary>Counts, which repeat exactly; the rest are measured and vary.</summary>
    public static bool IsExact(this Quantity quantity) => quantity is Quantity.Requests or Quantity.Descriptors;

    public static string Unit(this Quantity quantity) => quantity switch
    {
        Quantity.Duration => "s",
        Quantity.LatencyP50 or Quantity.LatencyP99 => "us",
        Quantity.Rate => "op/s",
        Quantity.Requests => "requests",
        Quantity.DaemonCpu or Quantity.GuestCpu => "CPU us/request",
        Quantity.InodeMemory => "bytes/inode",
        Quantity.Memory => "bytes",
        Quantity.Descriptors => "descriptors",
        Quantity.CallTime => "ns",
        Quantity.FalseSharing => "refetches/s",
        _ => throw new ArgumentOutOfRangeException(nameof(quantity), quantity, null),
    };
}
