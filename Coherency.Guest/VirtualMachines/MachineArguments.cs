namespace Coherency.Guest.VirtualMachines;

/// <summary>QEMU's command line for a guest.</summary>
public static class MachineArguments
{
    /// <summary>What QEMU's monitor calls the device of the share.</summary>
    public const string ShareDevice = "share-device";

    private const int VirtioIdFs = 26;

    // A tag and a u32 queue count, rounded up to what QEMU reads (VIRTIO 1.2, 5.11.4).
    private const int FsConfigSize = 40;

    // The mitigations would only slow the emulation down. The check of the timer takes a busy host for a broken interrupt
    // controller, and the kernel panics.
    private const string KernelCommandLine = "console=ttyS0 loglevel=5 panic=0 mitigations=off no_timer_check";

    /// <summary>
    /// Of the processors that could be plugged in. Where there can be one only, QEMU's emulation leaves out the guest's memory
    /// barriers (7.2 all of them, 11.1 those of locked instructions): a kick of a queue can be lost, and the guest waits for ever.
    /// </summary>
    private const int ProcessorsMaxAtLeast = 2;

    public static IEnumerable<string> For(VirtualMachineSettings settings) =>
    [
        "-no-user-config", "-nodefaults", "-display", "none",
        "-accel", settings.TranslationMiB is { } size ? $"tcg,tb-size={size}" : "tcg", "-cpu", "max",
        "-smp", $"{settings.Processors},maxcpus={Math.Max(settings.Processors, ProcessorsMaxAtLeast)}",
        .. SharedMemory(settings),
        "-kernel", settings.Image.Kernel,
        "-initrd", settings.Image.Initramfs,
        "-append", $"{KernelCommandLine} {settings.KernelOptions}",
        .. SerialPorts(settings),
        .. FileSystem(settings),
        .. settings.MoreShares.SelectMany(share => MoreFileSystem(share.Key, share.Value)),
        .. VersionTable(settings),
        .. Monitor(settings),
        .. settings.MoreArguments,
    ];

    // A vhost-user back end reads the guest's memory through the memory file.
    private static IEnumerable<string> SharedMemory(VirtualMachineSettings settings)
    {
        string backend = settings.MemoryFile is { } file ? $"memory-backend-file,mem-path={file}" : "memory-backend-memfd";
        return
        [
            "-m", $"{settings.MemoryMiB}",
            "-object", $"{backend},id=memory,size={settings.MemoryMiB}M,share=on",
            "-machine", "pc,memory-backend=memory",
        ];
    }

    private static IEnumerable<string> SerialPorts(VirtualMachineSettings settings) =>
    [
        "-chardev", $"file,id=console,path={settings.ConsoleLog}", "-serial", "chardev:console",
        "-chardev", $"socket,id=agent,path={settings.AgentSocket}", "-serial", "chardev:agent",
        .. settings.MoreSerialPorts.SelectMany((socket, n) => new[]
        {
            "-chardev", $"socket,id=serial-{n},path={socket},server=on,wait=off", "-serial", $"chardev:serial-{n}",
        }),
    ];

    private static IEnumerable<string> FileSystem(VirtualMachineSettings settings) =>
        settings.DaemonSocket is { } socket
            ? ["-chardev", $"socket,id=share,path={socket}", "-device", FileSystemDevice(settings)]
            : [];

    private static IEnumerable<string> Monitor(VirtualMachineSettings settings) =>
        settings.MonitorSocket is { } socket ? ["-qmp", $"unix:{socket},server=on,wait=off"] : [];

    private static IEnumerable<string> MoreFileSystem(string tag, string socket) =>
        ["-chardev", $"socket,id={tag},path={socket}", "-device", $"vhost-user-fs-pci,chardev={tag},tag={tag}"];

    private static IEnumerable<string> VersionTable(VirtualMachineSettings settings) => settings.TableFile is { } file
        ?
        [
            "-object", $"memory-backend-file,id=table,mem-path={file},size={new FileInfo(file).Length},share=on,readonly=on",
            "-device", "ivshmem-plain,memdev=table",
        ]
        : [];

    private static string FileSystemDevice(VirtualMachineSettings settings) => settings.Device switch
    {
        VirtualMachines.FileSystemDevice.VhostUserFs =>
            $"vhost-user-fs-pci,id={ShareDevice},chardev=share,tag={settings.Tag},num-request-queues={settings.RequestQueues}",
        VirtualMachines.FileSystemDevice.GenericVhostUser =>
            $"vhost-user-test-device-pci,id={ShareDevice},chardev=share,virtio-id={VirtioIdFs}"
            + $",num_vqs={1 + settings.RequestQueues},config_size={FsConfigSize}",
        _ => throw new ArgumentOutOfRangeException(nameof(settings)),
    };
}
