namespace Coherency.Tests.Vm;

/// <summary>QEMU's command line for a test guest.</summary>
public static class QemuArguments
{
    private const int VirtioIdFs = 26;

    // A tag and a u32 queue count, rounded up to what QEMU reads (VIRTIO 1.2, 5.11.4).
    private const int FsConfigSize = 40;

    // The mitigations would only slow the emulation down.
    private const string KernelCommandLine = "console=ttyS0 loglevel=5 panic=0 mitigations=off";

    public static IEnumerable<string> For(VirtualMachineSettings settings) =>
    [
        "-no-user-config", "-nodefaults", "-display", "none",
        // One processor: a second one makes every request three times as slow under emulation, because the processors
        // wake each other and the kernel distrusts the time-stamp counter. Requests of several processes overlap anyway.
        "-accel", "tcg", "-cpu", "max", "-smp", "1",
        .. SharedMemory,
        "-kernel", settings.Image.Kernel,
        "-initrd", settings.Image.Initramfs,
        "-append", KernelCommandLine,
        .. SerialPorts(settings),
        .. FileSystem(settings),
    ];

    // A vhost-user back end reads the guest's memory through the memory file.
    private static IEnumerable<string> SharedMemory =>
    [
        "-m", "384",
        "-object", "memory-backend-memfd,id=memory,size=384M,share=on",
        "-machine", "pc,memory-backend=memory",
    ];

    private static IEnumerable<string> SerialPorts(VirtualMachineSettings settings) =>
    [
        "-chardev", $"file,id=console,path={settings.ConsoleLog}", "-serial", "chardev:console",
        "-chardev", $"socket,id=agent,path={settings.AgentSocket}", "-serial", "chardev:agent",
    ];

    private static IEnumerable<string> FileSystem(VirtualMachineSettings settings) =>
        ["-chardev", $"socket,id=share,path={settings.DaemonSocket}", "-device", FileSystemDevice(settings)];

    private static string FileSystemDevice(VirtualMachineSettings settings) => settings.Device switch
    {
        Vm.FileSystemDevice.VhostUserFs =>
            $"vhost-user-fs-pci,chardev=share,tag={settings.Tag},num-request-queues={settings.RequestQueues}",
        Vm.FileSystemDevice.GenericVhostUser =>
            $"vhost-user-test-device-pci,chardev=share,virtio-id={VirtioIdFs}"
            + $",num_vqs={1 + settings.RequestQueues},config_size={FsConfigSize}",
        _ => throw new ArgumentOutOfRangeException(nameof(settings)),
    };
}
