using Coherency.Core.Versioning;

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

    /// <summary>
    /// Offer the device's configuration, which holds the tag. A VMM that has one of its own does not need it, and QEMU 7.1 to 8.0 can
    /// crash when it is told that it is ignored.
    /// </summary>
    public bool OffersConfiguration { get; init; } = true;

    /// <summary>Request queues offered; the VMM may use fewer.</summary>
    public int RequestQueues { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>Shown to the guest as virtio shared memory, where the VMM can do that; none when not given.</summary>
    public VersionTableWriter? Table { get; init; }

    /// <summary>Counts if there is a table.</summary>
    public SharedMemoryLayout SharedMemory { get; init; }

    public QueueOptions Queue { get; init; } = new(PollMicroseconds: 0, ThreadPoolSize: 16);
}
