namespace Coherency.Bench.Guests;

/// <summary>
/// A contender that is set up: its copy of the tree, its server, and a guest that has it mounted. A second guest is booted
/// when somebody asks for it.
/// </summary>
internal abstract class GuestBed(string name, string workFolder) : IAsyncDisposable
{
    private const string FirstGuest = "a";
    private const string SecondGuest = "b";

    // Enough for the caches of the largest tree; the second guest has little to remember.
    private const int FirstGuestMiB = 512;
    private const int SecondGuestMiB = 192;

    // Guests of all contenders are up at the same time: each keeps the translated code of its kernel and a compiler, no more.
    private const int TranslationMiB = 96;

    private readonly List<string> _commands = [];
    private GuestMachine? _second;

    public string Name { get; } = name;

    /// <summary>The measured guest.</summary>
    public GuestMachine First { get; private set; } = null!;

    public abstract string Version { get; }

    /// <summary>What was started on the host and what mounted it in the guest.</summary>
    public IReadOnlyList<string> Commands => _commands;

    /// <summary>The tree on the host; null when only the guest can reach it.</summary>
    public virtual string? HostTree => Path.Combine(WorkFolder, "tree");

    /// <summary>Can two guests have the tree mounted?</summary>
    public virtual bool IsShared => true;

    /// <summary>Processes that serve the tree; none when QEMU does it itself.</summary>
    public abstract IReadOnlyList<int> ServerProcesses { get; }

    protected string WorkFolder { get; } = workFolder;

    protected abstract string MountCommand(string guest);

    /// <summary>Copies the tree and starts what serves it.</summary>
    public async Task SetUpAsync(TestTree tree)
    {
        Directory.CreateDirectory(WorkFolder);
        CopyTree(tree);
        await StartServerAsync();
        First = await BootAsync(FirstGuest);
        Record($"guest: {MountCommand(FirstGuest)}");
    }

    /// <summary>The guest that works beside the measured one.</summary>
    public async Task<GuestMachine> BootSecondAsync() => _second ??= await BootAsync(SecondGuest);

    /// <summary>
    /// After a failure: boots the measured guest again if it has ended; the second one is booted again when somebody asks for it.
    /// </summary>
    public async Task StartStoppedGuestsAsync()
    {
        if (_second is { Machine.IsRunning: false })
        {
            await _second.DisposeAsync();
            _second = null;
        }

        if (!First.Machine.IsRunning)
        {
            await First.DisposeAsync();
            First = await BootAsync(FirstGuest);
        }
    }

    /// <summary>Ends the guests at once: who waits for one of them gets a failure.</summary>
    public void Kill()
    {
        _ = First.Machine.KillAsync();
        _ = _second?.Machine.KillAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (First is not null)
            await First.DisposeAsync();
        if (_second is not null)
            await _second.DisposeAsync();
        foreach (string guest in new[] { FirstGuest, SecondGuest })
            File.Delete(MemoryFileOf(guest));
    }

    protected virtual void CopyTree(TestTree tree) => ChildProcess.Shell($"cp -a --reflink=auto '{tree.Directory}' '{HostTree}'");

    protected virtual Task StartServerAsync() => Task.CompletedTask;

    /// <summary>Sees to it that a guest's device can be connected.</summary>
    protected virtual Task PrepareForGuestAsync(string guest) => Task.CompletedTask;

    /// <summary>Adds the device to a guest.</summary>
    protected abstract VirtualMachineSettings Extend(VirtualMachineSettings settings);

    protected abstract Task<IRequestCounter> CountAsync(VirtualMachine machine);

    protected void Record(string command) => _commands.Add(command);

    protected static string[] Disk(string file, string options) => ["-drive", $"file={file},format=raw,if=virtio,{options}"];

    private async Task<GuestMachine> BootAsync(string guest)
    {
        await PrepareForGuestAsync(guest);
        VirtualMachineImage image = VirtualMachineImage.Bench;
        VirtualMachineSettings settings = Extend(new VirtualMachineSettings
        {
            Name = guest,
            Image = image,
            WorkFolder = WorkFolder,
            MemoryMiB = guest == FirstGuest ? FirstGuestMiB : SecondGuestMiB,
            TranslationMiB = TranslationMiB,
            MemoryFile = MemoryFileOf(guest),
            MonitorSocket = Path.Combine(WorkFolder, guest + ".monitor"),
        });
        // The root file system is the first disk, whatever others there are.
        settings = settings with { MoreArguments = [.. Disk(image.Disk, "readonly=on"), .. settings.MoreArguments] };
        return await MountInAsync(await VirtualMachine.BootAsync(settings));
    }

    private async Task<GuestMachine> MountInAsync(VirtualMachine machine)
    {
        try
        {
            GuestMachine guest = new(machine, MountCommand(machine.Name), await CountAsync(machine));
            await guest.MountAsync();
            return guest;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>In memory, as guests' memory is; the name holds this process, and a number for the contender.</summary>
    private string MemoryFileOf(string guest) =>
        $"/dev/shm/coherency-bench-{Environment.ProcessId}-{WorkFolder.GetHashCode(StringComparison.Ordinal):x}-{guest}";
}
