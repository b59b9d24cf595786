using Coherency.Guest.VirtualMachines;

namespace Coherency.Bench.Guests;

/// <summary>QEMU's own 9p server, which runs within QEMU.</summary>
internal sealed class NinePBed(string name, string workFolder, string cache, string version) : GuestBed(name, workFolder)
{
    private const string Tag = "share";

    public override string Version { get; } = version;

    public override IReadOnlyList<int> ServerProcesses => [];

    // QEMU and the kernel take 512,000 bytes at most.
    protected override string MountCommand(string guest) =>
        $"mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache={cache} {Tag} {GuestMachine.MountPoint}";

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings)
    {
        string[] share = ["-virtfs", $"local,path={HostTree},mount_tag={Tag},security_model=passthrough"];
        if (Commands.Count == 0)
            Record($"host: qemu-system-x86_64 ... {string.Join(' ', share)}");
        return settings with { MoreArguments = share };
    }

    protected override async Task<IRequestCounter> CountAsync(VirtualMachine machine) => await RingCounter.ForDeviceAsync(machine, "virtio-9p", isVhost: false, priorityQueues: 0);
}
