using Coherency.Guest.VirtualMachines;

namespace Coherency.Bench.Guests;

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
        HostShell.Run(command);
        Record($"host: {command}");
    }

    protected override string MountCommand(string guest) => $"mount -t ext4 /dev/vdb {GuestMachine.MountPoint}";

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) => settings with { MoreArguments = Disk(Image, "cache=writeback") };

    /// <summary>Reads and writes that the disk has completed (the kernel's Documentation/admin-guide/iostats).</summary>
    protected override Task<IRequestCounter> CountAsync(VirtualMachine machine) =>
        Task.FromResult<IRequestCounter>(new GuestFileCounter(machine, "awk '$3 == \"vdb\" { print $4, $8 }' /proc/diskstats"));
}
