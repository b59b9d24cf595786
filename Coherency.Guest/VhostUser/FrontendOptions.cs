using Coherency.Core.VhostUser;
using Coherency.Core.Virtio;

namespace Coherency.Guest.VhostUser;

/// <summary>How a guest presents itself to the daemon; the defaults are those of QEMU with a Linux guest.</summary>
public sealed record FrontendOptions
{
    /// <summary>Entries of each ring, a power of two; libvhost-user peers take at most 1,024.</summary>
    public int QueueSize { get; init; } = 1024;

    /// <summary>Request queues to use; 0 for as many as the device's configuration names, or 1 when it has none.</summary>
    public int RequestQueues { get; init; }

    /// <summary>Bytes of guest memory; only touched pages cost anything.</summary>
    public long MemoryBytes { get; init; } = 1L << 30;

    /// <summary>Where the file of the guest's memory is made, which no name is left of; null for memory of its own (memfd).</summary>
    public string? MemoryFolder { get; init; }

    /// <summary>Pieces in which the daemon is told of the memory.</summary>
    public int MemoryRegions { get; init; } = 1;

    /// <summary>Use ADD_MEM_REG per region where CONFIGURE_MEM_SLOTS is agreed, as QEMU does; otherwise one SET_MEM_TABLE.</summary>
    public bool UseMemorySlots { get; init; } = true;

    /// <summary>Features to accept of those the device offers.</summary>
    public VirtioFeatures Features { get; init; } =
        VirtioFeatures.Version1 | VirtioFeatures.EventIdx | VirtioFeatures.IndirectDesc | VirtioFeatures.RingReset
        | VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>Protocol features to accept of those the daemon offers.</summary>
    public VhostUserProtocolFeatures ProtocolFeatures { get; init; } =
        VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.Config
        | VhostUserProtocolFeatures.ResetDevice | VhostUserProtocolFeatures.ConfigureMemSlots | VhostUserProtocolFeatures.Status;

    /// <summary>
    /// Let the daemon map into the device's shared memory, where it offers that: <see cref="VhostUserFrontend.Window"/>; null for not.
    /// </summary>
    public DeviceWindowOptions? Window { get; init; }

    /// <summary>Index at which the rings start, modulo 65,536: lets a test begin just before the wrap-around.</summary>
    public ushort StartIndex { get; init; }

    /// <summary>How long to wait for the socket to accept a connection, in milliseconds.</summary>
    public int ConnectTimeoutMs { get; init; } = 5000;

    /// <summary>How long the daemon may take to answer a vhost-user message, in seconds.</summary>
    public int ReplyTimeoutSeconds { get; init; } = 30;
}
