namespace Coherency.Host.Transports.VhostUser;

/// <summary>One guest: where its VMM connects and how it is served.</summary>
public sealed record GuestOptions
{
    /// <summary>What the log, and later the administrator, calls the guest.</summary>
    public required string Name { get; init; }

    /// <summary>The UNIX socket that the VMM connects to.</summary>
    public required string SocketPath { get; init; }

    /// <summary>What the guest mounts: at most 36 bytes of UTF-8.</summary>
    public required string Tag { get; init; }

    /// <summary>Request queues offered; the VMM may use fewer.</summary>
    public int RequestQueues { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    public QueueOptions Queue { get; init; } = new(PollMicroseconds: 0, HelperThreads: 1);
}
