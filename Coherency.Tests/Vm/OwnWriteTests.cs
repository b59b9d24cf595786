using Coherency.Core.Fuse;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// A guest's own write is on its way on one queue, and held up, when the guest finds that the file's pages are no longer current
/// and reads them in again on another queue: from before the write, which it must not believe afterwards.
/// </summary>
[Trait("Category", "Vm")]
public sealed class OwnWriteTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string File = TwoGuests.MountPoint + "/file";
    private const int Rounds = 5;

    private static readonly DateTime Yesterday = DateTime.UtcNow.Date.AddDays(-1);

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-own-write-").FullName;

    private string Shared => Path.Combine(_work, "shared");

    /// <summary>A file system of its own can be frozen: writes wait, reads do not.</summary>
    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Shared);
        await HostShell.ExpectAsync(
            $"truncate -s 64M {_work}/image && mkfs.ext4 -q {_work}/image && mount -o loop,noatime {_work}/image {Shared}");
    }

    public async Task DisposeAsync() => await HostShell.ExpectAsync($"umount {Shared} && rm -r {_work}");

    [Fact]
    public async Task What_is_read_in_while_an_own_write_is_on_its_way_is_not_believed_after_it()
    {
        await using CoherentServer server = new(Shared, _work, ["a"], requestQueues: 2);
        await using VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Sid,
            WorkFolder = _work,
            DaemonSocket = server.SocketOf("a"),
            Tag = SharingDaemon.Tag,
            Device = FileSystemDevice.GenericVhostUser,
            RequestQueues = 2,
            Processors = 2,
        });
        await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        for (int round = 0; round < Rounds; round++)
        {
            // A write of a whole page leaves the page unlocked while it is on its way.
            await guest.ExpectAsync(
                $"for age in old new; do echo $age-{round} | dd bs=4096 conv=sync of=/run/$age; done 2>/dev/null; cat /run/old >{File}");
            HideTime();
            Assert.Equal($"old-{round}", await guest.ExpectAsync($"head -c 5 {File}"));
            BackgroundCommand write = await guest.StartAsync(
                $"taskset 1 sh -c 'exec 3<>{File}; echo open; read go; dd if=/run/new bs=4096 count=1 >&3'");
            await write.WaitForOutputAsync("open");

            await HostShell.ExpectAsync($"fsfreeze --freeze {Shared}");
            try
            {
                long writes = CountWrites(server);
                await write.TellAsync();
                Assert.True(SpinWait.SpinUntil(() => CountWrites(server) > writes, TimeSpan.FromSeconds(30)), "no WRITE came");
                server.LoseHostChanges();
                Assert.Equal($"old-{round}", await guest.ExpectAsync($"taskset 2 head -c 5 {File}"));
            }
            finally
            {
                await HostShell.ExpectAsync($"fsfreeze --unfreeze {Shared}");
            }

            Assert.Equal(0, (await write.CompletionAsync()).ExitCode);
            HideTime();
            Assert.Equal($"new-{round}", await guest.ExpectAsync($"head -c 5 {File}"));
        }

        output.WriteLine($"{Rounds} pages were read in during an own write, and again after it");
        guest.AssertKernelIsSound();
    }

    /// <summary>
    /// fuse also drops pages when the time of change is another one, which not every file system writes finely enough. Set by this
    /// process, which is the daemon's, it is not a change of the host.
    /// </summary>
    private void HideTime() => System.IO.File.SetLastWriteTimeUtc(Path.Combine(Shared, "file"), Yesterday);

    private static long CountWrites(CoherentServer server) => server.CountRequests("a").GetValueOrDefault(FuseOpcode.Write);
}
