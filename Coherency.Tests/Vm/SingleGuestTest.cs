using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>A test that boots a guest of its own, with the module, for a daemon of its own.</summary>
[Trait("Category", "Vm")]
public abstract class SingleGuestTest : IAsyncLifetime
{
    protected string Work { get; } = Directory.CreateTempSubdirectory("coherency-guest-").FullName;

    protected string Shared => Path.Combine(Work, "shared");

    public Task InitializeAsync()
    {
        Directory.CreateDirectory(Shared);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await HostShell.ExpectAsync($"rm -r {Work}");

    /// <summary>Guest a, with the share mounted. Its kernel checks what it frees, and ends at the first warning.</summary>
    /// <param name="kernel">stable, trixie or sid.</param>
    /// <param name="prepare">A command before the mount.</param>
    /// <param name="kernelOptions">More of the kernel's command line.</param>
    protected async Task<VirtualMachine> BootAsync(
        SharingDaemon daemon, string kernel, string prepare = "true", string kernelOptions = "")
    {
        bool isGeneric = kernel == "sid";
        VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Of(kernel),
            WorkFolder = Work,
            DaemonSocket = daemon.SocketOf("a"),
            Tag = SharingDaemon.Tag,
            Device = isGeneric ? FileSystemDevice.GenericVhostUser : FileSystemDevice.VhostUserFs,
            TableFile = isGeneric ? null : daemon.SocketOf("a") + ".table",
            MonitorSocket = Path.Combine(Work, "a.monitor"),
            KernelOptions = $"slub_debug=FZPU panic_on_warn=1 {kernelOptions}",
        });
        await guest.ExpectAsync(prepare);
        await MountAsync(guest);
        return guest;
    }

    protected static Task<string> MountAsync(VirtualMachine guest) =>
        guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {TwoGuests.MountPoint}");
}
