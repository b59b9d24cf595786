using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Histories;
using Coherency.Tests.Linearizability;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// Two virtual machines fight over a few names, and what they saw must be linearizable. As many operations of each as
/// COHERENCY_VM_HISTORY_OPERATIONS says, from the seed of COHERENCY_HISTORY_SEED.
/// </summary>
[Trait("Category", "Vm")]
public sealed class GuestHistoryTests(ITestOutputHelper output) : IDisposable
{
    private const string MountPoint = "/mnt";

    private const int OperationsUnlessTold = 5_000;

    /// <summary>Records are in different pages.</summary>
    private const int RecordPitch = 4096;

    private static readonly string[] Guests = ["first", "second"];

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    private readonly string _workFolder = Directory.CreateTempSubdirectory("coherency-vm-history-").FullName;

    private static int Operations => FromEnvironment("COHERENCY_VM_HISTORY_OPERATIONS") ?? OperationsUnlessTold;

    private static int Seed => FromEnvironment("COHERENCY_HISTORY_SEED") ?? 1;

    private string SharedDirectory => Path.Combine(_workFolder, "shared");

    public void Dispose() => Directory.Delete(_workFolder, recursive: true);

    [Fact]
    public Task Guests_that_may_not_cache_never_see_what_is_stale() => ExpectNoViolation("never", "virtiofs");

    /// <summary>The table in ivshmem memory.</summary>
    [Fact]
    public Task Guests_that_consult_the_table_never_see_what_is_stale() => ExpectNoViolation("coherent", "coherency");

    /// <summary>The table in virtio shared memory, and the newest kernel.</summary>
    [Fact]
    public Task New_guests_that_consult_the_table_never_see_what_is_stale() =>
        ExpectNoViolation("coherent", "coherency", FileSystemDevice.GenericVhostUser);

    private async Task ExpectNoViolation(string cache, string fileSystem, FileSystemDevice device = FileSystemDevice.VhostUserFs)
    {
        History history = await RunAsync(cache, fileSystem, device);
        IReadOnlyList<Violation> violations = history.FindViolations();
        if (violations.Count > 0)
        {
            string file = Path.Combine(Path.GetTempPath(), $"coherency-vm-violations-{Seed}.txt");
            history.Write(file, violations);
            Assert.Fail($"{violations.Count} violations, seed {Seed}; all of it is in {file}\n{string.Concat(violations.Take(3))}");
        }
    }

    [Fact]
    public async Task Guests_that_believe_timeouts_are_found_out()
    {
        History history = await RunAsync("auto", "virtiofs", FileSystemDevice.VhostUserFs);
        IReadOnlyList<Violation> violations = history.FindViolations();
        Assert.NotEmpty(violations);
        output.WriteLine($"{violations.Count} violations; for example: {violations.MinBy(violation => violation.Steps.Count)}");
    }

    /// <param name="cache">As the daemon's option takes it.</param>
    /// <param name="fileSystem">What the guests mount.</param>
    private async Task<History> RunAsync(string cache, string fileSystem, FileSystemDevice device)
    {
        MakeTree();
        await using CoherencydProcess daemon = await CoherencydProcess.LaunchAsync(SharedDirectory, _workFolder, Guests, cache);
        VirtualMachine[] machines = await Task.WhenAll(Guests.Select(guest => BootAsync(daemon, guest, fileSystem, device)));
        try
        {
            await Task.WhenAll(machines.Select((machine, role) => machine.ExpectAsync(
                $"guest-history {MountPoint} {role} {Seed} {Operations} > /tmp/history && cp /tmp/history {MountPoint}/history{role}",
                Limit)));
            Array.ForEach(machines, machine => machine.AssertKernelIsSound());
        }
        finally
        {
            foreach (VirtualMachine machine in machines)
            {
                await machine.DisposeAsync();
            }
        }

        GuestHistoryLog log = GuestHistoryLog.Parse(ReadLog(0), ReadLog(1));
        output.WriteLine(
            $"{fileSystem} over {device}, cache {cache}, seed {Seed}: {log.Operations} operations; clocks related to within " +
            $"{log.ClockHigh - log.ClockLow} ticks");
        return log.History;
    }

    private string ReadLog(int role) => File.ReadAllText(Path.Combine(SharedDirectory, $"history{role}"));

    /// <summary>What eng/vm/guest-history.c expects to find.</summary>
    private void MakeTree()
    {
        foreach (string directory in (string[])["left", "right"])
        {
            Directory.CreateDirectory(Path.Combine(SharedDirectory, directory, "folder"));
            Directory.CreateDirectory(Path.Combine(SharedDirectory, directory, "yard"));
            File.WriteAllBytes(Path.Combine(SharedDirectory, directory, "file"), []);
            File.WriteAllBytes(Path.Combine(SharedDirectory, directory, "data"), new byte[2 * RecordPitch]);
        }

        const UnixFileMode everybodyMayEnter = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        MakeDirectory("closed", everybodyMayEnter);
        MakeDirectory("sticky", everybodyMayEnter | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite | UnixFileMode.StickyBit);
        File.SetUnixFileMode(SharedDirectory, everybodyMayEnter);
        foreach (string file in (string[])["first", "second"])
        {
            File.WriteAllBytes(Path.Combine(SharedDirectory, "sticky", file), []);
        }

        foreach (string clock in (string[])["clock0", "clock1"])
        {
            File.WriteAllBytes(Path.Combine(SharedDirectory, clock), new byte[512]);
        }
    }

    private void MakeDirectory(string name, UnixFileMode mode)
    {
        string path = Path.Combine(SharedDirectory, name);
        Directory.CreateDirectory(path);
        // Not what is left of it by the umask.
        File.SetUnixFileMode(path, mode);
    }

    private async Task<VirtualMachine> BootAsync(CoherencydProcess daemon, string guest, string fileSystem, FileSystemDevice device)
    {
        bool isGeneric = device == FileSystemDevice.GenericVhostUser;
        VirtualMachine machine = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = guest,
            Image = isGeneric ? VirtualMachineImage.Sid : VirtualMachineImage.Stable,
            Device = device,
            WorkFolder = _workFolder,
            DaemonSocket = daemon.SocketOf(guest),
            Tag = SharingDaemon.Tag,
            TableFile = fileSystem == "coherency" && !isGeneric ? daemon.SocketOf(guest) + ".table" : null,
        });
        await machine.ExpectAsync($"mount -t {fileSystem} {SharingDaemon.Tag} {MountPoint}");
        return machine;
    }

    private static int? FromEnvironment(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : null;
}
