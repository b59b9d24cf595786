namespace Coherency.Guest.VirtualMachines;

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

    /// <summary>Of the back end of the guest's share; null for a guest without one.</summary>
    public string? DaemonSocket { get; init; }

    public string Tag { get; init; } = "share";

    public FileSystemDevice Device { get; init; } = FileSystemDevice.VhostUserFs;

    public int RequestQueues { get; init; } = 1;

    /// <summary>
    /// A second one makes every request three times as slow under emulation, because the processors wake each other and the
    /// kernel distrusts the time-stamp counter. Requests of several processes overlap anyway.
    /// </summary>
    public int Processors { get; init; } = 1;

    public int MemoryMiB { get; init; } = 384;

    /// <summary>Most memory that QEMU keeps translated code in; QEMU's own choice when null.</summary>
    public int? TranslationMiB { get; init; }

    /// <summary>A file that holds the guest's memory, for who wants to look into it; null for one without a name.</summary>
    public string? MemoryFile { get; init; }

    /// <summary>Where QEMU listens with its monitor, if it is to.</summary>
    public string? MonitorSocket { get; init; }

    /// <summary>A version table that is shown to the guest as ivshmem memory, if any.</summary>
    public string? TableFile { get; init; }

    /// <summary>Sockets of daemons whose shares the guest gets as well, by tag.</summary>
    public IReadOnlyDictionary<string, string> MoreShares { get; init; } = new Dictionary<string, string>();

    /// <summary>Sockets on which QEMU listens with serial ports that the guest has beside the agent's: ttyS2, ttyS3.</summary>
    public IReadOnlyList<string> MoreSerialPorts { get; init; } = [];

    /// <summary>More of QEMU's command line.</summary>
    public IReadOnlyList<string> MoreArguments { get; init; } = [];

    /// <summary>Words before QEMU's command line, such as those that put it into another network namespace.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>More words for the kernel's command line.</summary>
    public string KernelOptions { get; init; } = "";

    public string AgentSocket => Path.Combine(WorkFolder, Name + ".agent");

    public string ConsoleLog => Path.Combine(WorkFolder, Name + ".console");
}
