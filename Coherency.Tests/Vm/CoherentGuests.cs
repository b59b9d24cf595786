using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// Two guests with the module of guest/linux, which consults the version table. Their kernels check what they free and who
/// writes where (slub_debug), and end at the first warning.
/// </summary>
public abstract class CoherentGuests(Func<VirtualMachineImage> locateImage, FileSystemDevice device) : TwoGuests(locateImage, device)
{
    private readonly FileSystemDevice _device = device;
    /// <summary>Ended by the base class, as every daemon.</summary>
    public CoherentServer Server { get; private set; } = null!;

    public override string FileSystemType => "coherency";

    protected override Task<DaemonProcess> StartDaemonAsync(string workFolder, IReadOnlyList<string> guests)
    {
        Server = new CoherentServer(SharedDirectory, workFolder, guests);
        return Task.FromResult<DaemonProcess>(Server);
    }

    /// <summary>The generic device brings the table with it; the other one needs a second device.</summary>
    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings) => settings with
    {
        TableFile = _device == FileSystemDevice.VhostUserFs ? Server.TableOf(settings.Name) : null,
        KernelOptions = "slub_debug=FZPU panic_on_warn=1",
    };
}

/// <summary>Debian 12: QEMU 7.2, Linux 6.1, the table as ivshmem memory.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class CoherentStableGuests() : CoherentGuests(() => VirtualMachineImage.Stable, FileSystemDevice.VhostUserFs),
    ICollectionFixture<CoherentStableGuests>
{
    public const string Collection = "coherent guests of Debian stable";
}

/// <summary>Linux 6.12, the table as ivshmem memory.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class CoherentTrixieGuests() : CoherentGuests(() => VirtualMachineImage.Trixie, FileSystemDevice.VhostUserFs),
    ICollectionFixture<CoherentTrixieGuests>
{
    public const string Collection = "coherent guests of Debian trixie";
}

/// <summary>QEMU 11.1, Linux 7.2, the table as virtio shared memory.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class CoherentSidGuests() : CoherentGuests(() => VirtualMachineImage.Sid, FileSystemDevice.GenericVhostUser),
    ICollectionFixture<CoherentSidGuests>
{
    public const string Collection = "coherent guests of Debian sid";
}
