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

    protected override async Task<IRequestCounter> CountAsync(VirtualMachine machine) =>
        await RingCounter.ForDeviceAsync(machine, "virtio-9p", isVhost: false, priorityQueues: 0);
}

/// <summary>The guest's own file system on a disk that nobody shares: the limit of what sharing can reach.</summary>
internal sealed class DiskBed(string name, string workFolder, string version) : GuestBed(name, workFolder)
{
    public override string Version { get; } = version;

    public override string? HostTree => null;

    public override bool IsShared => false;

    public override IReadOnlyList<int> ServerProcesses => [];

    private string Image => Path.Combine(WorkFolder, "disk");

    protected override void CopyTree(TestTree tree)
    {
        string command = $"mke2fs -q -t ext4 -d '{tree.Directory}' '{Image}' 2G";
        ChildProcess.Shell(command);
        Record($"host: {command}");
    }

    protected override string MountCommand(string guest) => $"mount -t ext4 /dev/vdb {GuestMachine.MountPoint}";

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) =>
        settings with { MoreArguments = Disk(Image, "cache=writeback") };

    /// <summary>Reads and writes that the disk has completed (the kernel's Documentation/admin-guide/iostats).</summary>
    protected override Task<IRequestCounter> CountAsync(VirtualMachine machine) =>
        Task.FromResult<IRequestCounter>(new GuestFileCounter(machine, "awk '$3 == \"vdb\" { print $4, $8 }' /proc/diskstats"));
}
