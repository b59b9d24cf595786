using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// Guests of which A has a user space of Debian's beside its own, with programs that watch files: another share of another daemon,
/// so that it comes to every kernel.
/// </summary>
public abstract class ProgramGuests(Func<VirtualMachineImage> locateImage, FileSystemDevice device)
    : CoherentGuests(locateImage, device), IAsyncLifetime
{
    /// <summary>Where A has it.</summary>
    public const string Root = "/programs";

    private const string RootTag = "programs";
    private const string Watching = "a";

    private readonly string _rootWork = Directory.CreateTempSubdirectory("coherency-programs-").FullName;
    private CoherencydProcess? _rootDaemon;

    async Task IAsyncLifetime.InitializeAsync()
    {
        _rootDaemon = await CoherencydProcess.LaunchAsync(
            VirtualMachineImage.ProgramsRoot, _rootWork, [Watching], "always", "--readonly");
        await InitializeAsync();
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        if (_rootDaemon is not null)
        {
            await _rootDaemon.DisposeAsync();
        }

        Directory.Delete(_rootWork, recursive: true);
    }

    /// <summary>Ends all programs that run with that user space.</summary>
    public Task EndProgramsAsync() => A.ExpectAsync(
        $"left() {{ for p in /proc/[0-9]*; do [ \"$(readlink $p/root)\" != {Root} ] || echo $p; done; }}; i=0; " +
        "while ps=$(left); [ \"$ps\" ]; do for p in $ps; do kill -9 ${p#/proc/}; done; i=$((i+1)); [ $i -lt 100 ] || " +
        "{ for p in $ps; do for t in $p/task/*; do echo $t $(cat $t/comm $t/stat $t/stack); done; done; exit 1; }; sleep 0.1; done");

    protected override async Task PrepareAsync(VirtualMachine guest)
    {
        if (guest.Name == Watching)
        {
            // All guests have these files: what programs write beside the share stays in memory.
            await guest.ExpectAsync(
                $"mkdir -p {Root} && mount -t virtiofs -o ro {RootTag} {Root} && cd {Root} && mount -t proc proc proc && " +
                "mount --bind /dev dev && for m in run tmp root mnt; do mount -t tmpfs $m $m; done && mkdir mnt/share && " +
                $"ifconfig lo 127.0.0.1 up && mkdir -p {TwoGuests.MountPoint}");
        }
    }

    protected override VirtualMachineSettings Extend(VirtualMachineSettings settings)
    {
        VirtualMachineSettings extended = base.Extend(settings) with { KernelOptions = "panic_on_warn=1" };
        return settings.Name != Watching
            ? extended
            : extended with
            {
                MemoryMiB = 1536,
                MonitorSocket = Path.Combine(settings.WorkFolder, $"{Watching}.monitor"),
                MoreShares = new Dictionary<string, string> { [RootTag] = _rootDaemon!.SocketOf(Watching) },
            };
    }
}

[CollectionDefinition(Name)]
public sealed class StableProgramGuests()
    : ProgramGuests(() => VirtualMachineImage.Stable, FileSystemDevice.VhostUserFs), ICollectionFixture<StableProgramGuests>
{
    public const string Name = "guests of Debian stable with programs";
}

[CollectionDefinition(Name)]
public sealed class TrixieProgramGuests()
    : ProgramGuests(() => VirtualMachineImage.Trixie, FileSystemDevice.VhostUserFs), ICollectionFixture<TrixieProgramGuests>
{
    public const string Name = "guests of Debian trixie with programs";
}

[CollectionDefinition(Name)]
public sealed class SidProgramGuests()
    : ProgramGuests(() => VirtualMachineImage.Sid, FileSystemDevice.GenericVhostUser), ICollectionFixture<SidProgramGuests>
{
    public const string Name = "guests of Debian sid with programs";
}
