namespace Coherency.Tests.Vm;

/// <summary>The device through which QEMU attaches a vhost-user-fs back end.</summary>
public enum FileSystemDevice
{
    /// <summary>vhost-user-fs-pci: in every QEMU; the tag comes from QEMU's command line.</summary>
    VhostUserFs,

    /// <summary>vhost-user-test-device-pci as virtio id 26: tag and queues come from the back end's CONFIG.</summary>
    GenericVhostUser,
}

public sealed record VirtualMachineSettings
{
    public required string Name { get; init; }

    public required VirtualMachineImage Image { get; init; }

    /// <summary>Holds this machine's sockets and console log.</summary>
    public required string WorkFolder { get; init; }

    public required string DaemonSocket { get; init; }

    public required string Tag { get; init; }

    public FileSystemDevice Device { get; init; } = FileSystemDevice.VhostUserFs;

    public int RequestQueues { get; init; } = 1;

    /// <summary>
    /// A second one makes every request three times as slow under emulation, because the processors wake each other and the
    /// kernel distrusts the time-stamp counter. Requests of several processes overlap anyway.
    /// </summary>
    public int Processors { get; init; } = 1;

    /// <summary>A version table that is shown to the guest as ivshmem memory, if any.</summary>
    public string? TableFile { get; init; }

    /// <summary>Sockets of daemons whose shares the guest gets as well, by tag.</summary>
    public IReadOnlyDictionary<string, string> MoreShares { get; init; } = new Dictionary<string, string>();

    /// <summary>More words for the kernel's command line.</summary>
    public string KernelOptions { get; init; } = "";

    public string AgentSocket => Path.Combine(WorkFolder, Name + ".agent");

    public string ConsoleLog => Path.Combine(WorkFolder, Name + ".console");
}
