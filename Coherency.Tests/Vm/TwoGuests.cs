using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// One daemon with one share and two guests that have it mounted, kept from test to test because a boot costs
/// seconds. What a test breaks is replaced before the next one.
/// </summary>
public abstract class TwoGuests(Func<VirtualMachineImage> locateImage, FileSystemDevice device) : IAsyncLifetime
{
    public const string MountPoint = "/mnt";

    private static readonly string[] GuestNames = ["a", "b"];

    private readonly string _workFolder = Directory.CreateTempSubdirectory("coherency-vm-").FullName;
    private readonly Dictionary<string, VirtualMachine> _guests = [];
    private VirtualMachineImage? _image;
    private SharingDaemon? _daemon;

    public VirtualMachine A => _guests["a"];

    public VirtualMachine B => _guests["b"];

    /// <summary>The directory on the host that both guests have mounted.</summary>
    public string SharedDirectory => Path.Combine(_workFolder, "shared");

    public async Task InitializeAsync()
    {
        _image = locateImage();
        Directory.CreateDirectory(SharedDirectory);
        await EnsureReadyAsync();
    }

    public async Task DisposeAsync()
    {
        await StopAsync();
        await HostShell.ExpectAsync($"rm -rf {_workFolder}");
    }

    /// <summary>Replaces whatever no longer runs.</summary>
    public async Task EnsureReadyAsync()
    {
        if (_daemon is not { IsRunning: true })
        {
            await StopAsync();
            _daemon = await StartDaemonAsync(_workFolder, GuestNames);
        }
        await Task.WhenAll(GuestNames.Where(name => !IsRunning(name)).ToArray().Select(BootAsync));
    }

    /// <summary>What the guests' mount command is told to mount.</summary>
    protected virtual string FileSystemType => "virtiofs";

    public Task MountAsync(VirtualMachine guest) =>
        guest.ExpectAsync($"mountpoint -q {MountPoint} || mount -t {FileSystemType} {SharingDaemon.Tag} {MountPoint}");

    protected virtual Task<SharingDaemon> StartDaemonAsync(string workFolder, IReadOnlyList<string> guests) =>
        SharingDaemon.StartAsync(SharedDirectory, workFolder, guests);

    /// <summary>What a guest has that others have not.</summary>
    protected virtual VirtualMachineSettings Extend(VirtualMachineSettings settings) => settings;

    /// <summary>Does to a guest that has booted what comes before the mount.</summary>
    protected virtual Task PrepareAsync(VirtualMachine guest) => Task.CompletedTask;

    /// <summary>Boots a guest in the place of one that was killed, on the same socket, and mounts the share.</summary>
    public async Task<VirtualMachine> BootAsync(string name)
    {
        if (_guests.Remove(name, out var previous))
            await previous.DisposeAsync();
        await _daemon!.PrepareForGuestAsync(name);
        var guest = await VirtualMachine.BootAsync(SettingsOf(name));
        await PrepareAsync(guest);
        await MountAsync(guest);
        _guests[name] = guest;
        return guest;
    }

    /// <summary>Fails when either guest's kernel reported a fault, or the daemon is gone.</summary>
    public void AssertSound()
    {
        foreach (var guest in _guests.Values)
            guest.AssertKernelIsSound();
        Assert.True(_daemon!.IsRunning, $"the daemon exited:\n{_daemon.Output}");
    }

    /// <summary>Fails when a guest keeps what no program of it uses any more, as far as the daemon can tell.</summary>
    public virtual Task ExpectAllForgottenAsync() => Task.CompletedTask;

    private bool IsRunning(string name) => _guests.TryGetValue(name, out var guest) && guest.IsRunning;

    private VirtualMachineSettings SettingsOf(string name) => Extend(new VirtualMachineSettings
    {
        Name = name,
        Image = _image!,
        WorkFolder = _workFolder,
        DaemonSocket = _daemon!.SocketOf(name),
        Tag = SharingDaemon.Tag,
        Device = device,
    });

    private async Task StopAsync()
    {
        foreach (var guest in _guests.Values)
            await guest.DisposeAsync();
        _guests.Clear();
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        _daemon = null;
    }
}
