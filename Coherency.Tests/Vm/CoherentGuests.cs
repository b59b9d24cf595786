using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Oracle;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// Two guests with the module of guest/linux, which consults the version table. Their kernels check what they free and who
/// writes where (slub_debug), and end at the first warning.
/// </summary>
public abstract class CoherentGuests(Func<VirtualMachineImage> locateImage, FileSystemDevice device) : TwoGuests(locateImage, device)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly FileSystemDevice _device = device;

    /// <summary>Ended by the base class, as every daemon.</summary>
    public CoherentServer Server { get; private set; } = null!;

    protected override string FileSystemType => "coherency";

    protected override Task<SharingDaemon> StartDaemonAsync(string workFolder, IReadOnlyList<string> guests)
    {
        Server = new CoherentServer(SharedDirectory, workFolder, guests);
        return Task.FromResult<SharingDaemon>(Server);
    }

    /// <summary>
    /// When the guests end their submounts and drop their caches, nobody has anything left but the root, the daemon included. A guest
    /// that has is replaced before the next test.
    /// </summary>
    public override async Task ExpectAllForgottenAsync()
    {
        await Task.WhenAll(ExpectForgottenAsync(A), ExpectForgottenAsync(B));
        Server.ExpectAllForgotten(Patience);
    }

    /// <summary>Drops a guest's caches until it holds as few inodes as that.</summary>
    public async Task DropCachesAsync(VirtualMachine guest, int inodesLeft = 0)
    {
        DateTime end = DateTime.UtcNow + Patience;
        do
        {
            Assert.True(DateTime.UtcNow < end, $"{guest.Name} still holds {Server.CountHeldInodes(guest.Name)} inodes");
            await guest.ExpectAsync("echo 3 >/proc/sys/vm/drop_caches");
        }
        while (Server.CountHeldInodes(guest.Name) > inodesLeft);
    }

    private async Task ExpectForgottenAsync(VirtualMachine guest)
    {
        try
        {
            // To walk to one that the host has unmounted ends it, and then there is none.
            await guest.ExpectAsync(
                $"for m in $(awk '$2 ~ \"^{MountPoint}/\" {{ print $2 }}' /proc/mounts); do umount $m 2>/dev/null; done; true");
            await DropCachesAsync(guest);
        }
        catch
        {
            await guest.KillAsync();
            throw;
        }
    }

    /// <summary>The generic device brings the table with it; the other one needs a second device.</summary>
    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) => settings with
    {
        TableFile = _device == FileSystemDevice.VhostUserFs ? Server.TableOf(settings.Name) : null,
        KernelOptions = "slub_debug=FZPU panic_on_warn=1",
    };
}

/// <summary>Debian 12: QEMU 7.2, Linux 6.1, the table as ivshmem memory.</summary>
[CollectionDefinition(Collection)]
public class CoherentStableGuests() : CoherentGuests(() => VirtualMachineImage.Stable, FileSystemDevice.VhostUserFs),
    ICollectionFixture<CoherentStableGuests>
{
    public const string Collection = "coherent guests of Debian stable";
}

/// <summary>Linux 6.12, the table as ivshmem memory.</summary>
[CollectionDefinition(Collection)]
public sealed class CoherentTrixieGuests() : CoherentGuests(() => VirtualMachineImage.Trixie, FileSystemDevice.VhostUserFs),
    ICollectionFixture<CoherentTrixieGuests>
{
    public const string Collection = "coherent guests of Debian trixie";
}

/// <summary>QEMU 11.1, Linux 7.2, the table as virtio shared memory.</summary>
[CollectionDefinition(Collection)]
public sealed class CoherentSidGuests() : CoherentGuests(() => VirtualMachineImage.Sid, FileSystemDevice.GenericVhostUser),
    ICollectionFixture<CoherentSidGuests>
{
    public const string Collection = "coherent guests of Debian sid";
}

/// <summary><see cref="CoherentStableGuests"/> with the build of the module that can be told to leave rules out.</summary>
public sealed class CoherentTestingGuests : CoherentStableGuests
{
    /// <summary>From now on; with none, all are followed again.</summary>
    public Task LeaveOutAsync(params ModuleRule[] rules)
    {
        string command = $"echo {rules.Sum(rule => 1 << (int)rule)} >/sys/module/coherency/parameters/rules_off";
        return Task.WhenAll(A.ExpectAsync(command), B.ExpectAsync(command));
    }

    protected override Task PrepareAsync(VirtualMachine guest) =>
        guest.ExpectAsync("rmmod coherency && insmod /modules/coherency-testing.ko");
}

[CollectionDefinition(Name)]
public sealed class CoherentTestingCollection : ICollectionFixture<CoherentTestingGuests>
{
    public const string Name = "coherent guests of Debian stable whose module can leave rules out";
}
