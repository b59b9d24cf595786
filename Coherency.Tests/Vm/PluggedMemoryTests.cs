using System.Security.Cryptography;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>A running guest gets more memory, uses it for the share's data, and gives it back.</summary>
[Trait("Category", "Vm")]
public sealed class PluggedMemoryTests : IDisposable
{
    private const string Share = TwoGuests.MountPoint;
    private const int FileBytes = 16 << 20;

    /// <summary>Of processes and of files' pages only, so that it can be taken away again.</summary>
    private const string TakeIntoUse = """
        cd /sys/devices/system/memory
        until grep -q offline memory*/state; do sleep 0.1; done
        for state in memory*/state; do grep -q offline $state && echo online_movable >$state; done
        ! grep -q offline memory*/state
        """;

    /// <summary>Pages that something is done with are tried again.</summary>
    private const string GiveBack = """
        cd /sys/devices/system/memory
        for valid in $(grep -l Movable memory*/valid_zones); do
            state=${valid%/*}/state
            until echo offline >$state || grep -q offline $state; do echo 3 >/proc/sys/vm/drop_caches; sleep 0.1; done
        done 2>/dev/null
        grep -q offline memory*/state
        """;

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-plugged-").FullName;

    public void Dispose() => Directory.Delete(_work, recursive: true);

    /// <param name="backend">What the users' mistake is: memory that the VMM cannot share.</param>
    [Theory]
    [InlineData("memory-backend-memfd", true)]
    [InlineData("memory-backend-ram", false)]
    public async Task What_lies_in_plugged_memory_arrives_or_fails_by_itself(string backend, bool isShared)
    {
        string shared = Directory.CreateDirectory(Path.Combine(_work, "shared")).FullName;
        byte[] content = RandomNumberGenerator.GetBytes(FileBytes);
        File.WriteAllBytes(Path.Combine(shared, "file"), content);
        await using CoherentServer server = new(shared, _work, ["a"]);
        await using VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Stable,
            WorkFolder = _work,
            DaemonSocket = server.SocketOf("a"),
            Tag = SharingDaemon.Tag,
            TableFile = server.TableOf("a"),
            MonitorSocket = Path.Combine(_work, "a.monitor"),
            MoreArguments = ["-m", "slots=2,maxmem=2G"],
        });
        await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {Share}");
        using QemuMonitor monitor = await guest.OpenMonitorAsync();
        string arguments = $"\"qom-type\": \"{backend}\", \"id\": \"more\", \"size\": 268435456{(isShared ? ", \"share\": true" : "")}";
        await monitor.AskAsync($"{{\"execute\": \"object-add\", \"arguments\": {{{arguments}}}}}");
        await monitor.AskAsync("""{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"dimm","memdev":"more"}}""");
        await guest.ExpectAsync(TakeIntoUse);

        // New pages come from the memory above.
        CommandResult copied = await guest.RunAsync($"cp {Share}/file {Share}/copy");
        if (isShared)
        {
            Assert.True(copied.ExitCode == 0, copied.Text);
            Assert.Equal(content, File.ReadAllBytes(Path.Combine(shared, "copy")));
        }
        else
        {
            Assert.NotEqual(0, copied.ExitCode);
            Assert.Contains("do not lie within one region of the guest's memory", server.Output, StringComparison.Ordinal);
        }

        Assert.Contains("file", await guest.ExpectAsync($"ls {Share}"), StringComparison.Ordinal);
        await guest.ExpectAsync(GiveBack);
        await monitor.AskAsync("""{"execute":"device_del","arguments":{"id":"dimm"}}""");
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(content)), (await guest.ExpectAsync($"sha256sum <{Share}/file")).Split(' ')[0]);
        await guest.ExpectAsync($"umount {Share}");
        guest.AssertKernelIsSound();
    }
}
