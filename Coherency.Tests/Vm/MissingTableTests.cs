using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>The module in a guest that has no version table, or another one's: it refuses, or mounts as virtiofs would.</summary>
[Trait("Category", "Vm")]
public sealed class MissingTableTests : IDisposable
{
    private const string Mount = $"mount -t coherency {SharingDaemon.Tag} {TwoGuests.MountPoint}";
    private const string MountAnyhow = $"mount -t coherency -o fallback {SharingDaemon.Tag} {TwoGuests.MountPoint}";

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-no-table-").FullName;

    public void Dispose() => Directory.Delete(_work, recursive: true);

    [Fact]
    public Task Without_a_table() => ExpectFallbackAsync(server => null, "no version table");

    [Fact]
    public Task With_the_table_of_another_guest() => ExpectFallbackAsync(server => server.TableOf("b"), "table");

    /// <param name="tableFile">What the guest gets.</param>
    /// <param name="reason">In the kernel's log, when the mount fails.</param>
    private async Task ExpectFallbackAsync(Func<CoherentServer, string?> tableFile, string reason)
    {
        string shared = Directory.CreateDirectory(Path.Combine(_work, "shared")).FullName;
        File.WriteAllText(Path.Combine(shared, "file"), "text");
        await using CoherentServer server = new(shared, _work, ["a", "b"]);
        await using VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Stable,
            WorkFolder = _work,
            DaemonSocket = server.SocketOf("a"),
            Tag = SharingDaemon.Tag,
            TableFile = tableFile(server),
        });

        Assert.NotEqual(0, (await guest.RunAsync(Mount)).ExitCode);
        Assert.Contains(reason, await guest.ExpectAsync("dmesg | grep coherency:"), StringComparison.Ordinal);
        await guest.ExpectAsync(MountAnyhow);
        Assert.Equal("text", await guest.ExpectAsync($"cat {TwoGuests.MountPoint}/file"));
        // Nothing is believed for longer than virtiofs would.
        File.WriteAllText(Path.Combine(shared, "file"), "changed");
        await guest.ExpectAsync("sleep 2");
        Assert.Equal("changed", await guest.ExpectAsync($"cat {TwoGuests.MountPoint}/file"));
        await guest.ExpectAsync($"umount {TwoGuests.MountPoint}");
        guest.AssertKernelIsSound();
    }
}
