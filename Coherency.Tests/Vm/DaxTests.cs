using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest.VirtualMachines;
using Coherency.Host.Server;
using Coherency.Tests.Hostile;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>Files that a guest under QEMU 11.1 sees in the memory of its device: <c>serve --dax</c>.</summary>
[Trait("Category", "Vm")]
public sealed class DaxTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private const string Mount = TwoGuests.MountPoint;

    /// <summary>A window of 30 ranges of 2 MiB, and the table.</summary>
    private const int WindowMib = 64;

    /// <summary>For what takes half a minute where nothing else runs.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly string _work = Directory.CreateTempSubdirectory("coherency-dax-").FullName;
    private readonly CollectedLog _log = new();
    private GuestServer _server = null!;

    private string Shared => Path.Combine(_work, "shared");

    private string Socket => Path.Combine(_work, "a.sock");

    private FuseSession Session => _server.Endpoints[0].Session;

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Shared);
        await HostShell.ExpectAsync(
            $"truncate -s 1500M {_work}/image && mkfs.ext4 -q {_work}/image && mount -o loop,noatime {_work}/image {Shared}");
        ShareConfiguration share = new()
        {
            SharedDir = Shared,
            Tag = SharingDaemon.Tag,
            NumRequestQueues = 1,
            Dax = "4M",
            DaxWindowMib = WindowMib,
            Guests = [new GuestConfiguration { Name = "a", Socket = Socket }],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, _log);
    }

    public async Task DisposeAsync()
    {
        Dispose();
        output.WriteLine(_log.Text);
        await HostShell.ExpectAsync($"umount {Shared}; rm -r {_work}");
    }

    public void Dispose()
    {
        _server.Dispose();
        _log.Dispose();
    }

    [Theory]
    [InlineData("stable", "virtiofs")]
    [InlineData("stable", "coherency")]
    [InlineData("trixie", "coherency")]
    [InlineData("sid", "coherency")]
    public async Task A_file_larger_than_the_window_is_read_and_stored_to_without_a_page_of_the_guests(string kernel, string type)
    {
        const int Megabytes = 128;
        await HostShell.ExpectAsync($"head -c {Megabytes}M /dev/urandom >{Shared}/large; head -c 100K {Shared}/large >{Shared}/small");
        await using VirtualMachine guest = await BootAsync(kernel);
        await guest.ExpectAsync($"mount -t {type} {SharingDaemon.Tag} {Mount}");
        long cachedBefore = await CachedAsync(guest);
        long readsBefore = Session.Counters[FuseOpcode.Read];
        string sum = await HostShell.ExpectAsync($"md5sum <{Shared}/large");
        Assert.Equal(sum, await guest.ExpectAsync($"md5sum <{Mount}/large", Patience));
        long grown = await CachedAsync(guest) - cachedBefore;
        output.WriteLine($"{kernel} {type}: Cached grew by {grown} KiB; {Session.Counters[FuseOpcode.SetupMapping]} SETUPMAPPING, " +
            $"{Session.Counters[FuseOpcode.RemoveMapping]} REMOVEMAPPING");
        Assert.Equal(readsBefore, Session.Counters[FuseOpcode.Read]);
        Assert.True(grown < 16 << 10, $"the page cache grew by {grown} KiB");
        Assert.Equal(Megabytes / 2, Session.Counters[FuseOpcode.SetupMapping]);

        // Another file is read as before.
        Assert.Equal(await HostShell.ExpectAsync($"md5sum <{Shared}/small"), await guest.ExpectAsync($"md5sum <{Mount}/small"));
        Assert.True(Session.Counters[FuseOpcode.Read] > readsBefore);

        // Stores in place: the host sees them at once, with nothing written back.
        long writes = Session.Counters[FuseOpcode.Write];
        await guest.ExpectAsync($"printf stored | dd of={Mount}/large bs=1 seek=100000000 conv=notrunc 2>/dev/null");
        Assert.Equal("stored", await HostShell.ExpectAsync($"dd if={Shared}/large bs=1 skip=100000000 count=6 2>/dev/null"));
        Assert.Equal(writes, Session.Counters[FuseOpcode.Write]);

        // And the guest what the host writes.
        await HostShell.ExpectAsync($"printf changed | dd of={Shared}/large bs=1 seek=120000000 conv=notrunc 2>/dev/null");
        Assert.Equal("changed", await guest.ExpectAsync($"dd if={Mount}/large bs=1 skip=120000000 count=7 2>/dev/null"));

        // Appending, cutting, and the last range, in which the file ends.
        await guest.ExpectAsync($"printf end >>{Mount}/large; truncate -s 8M {Mount}/large; printf tail >>{Mount}/large");
        Assert.Equal("tail", await guest.ExpectAsync($"tail -c 4 {Mount}/large"));
        Assert.Equal("tail", await HostShell.ExpectAsync($"tail -c 4 {Shared}/large"));
        await guest.ExpectAsync($"umount {Mount}");
        Assert.Equal(0, Session.MappedRangeCount);

        // The window is empty for the next mount.
        await guest.ExpectAsync($"mount -t {type} {SharingDaemon.Tag} {Mount}");
        Assert.Equal(await HostShell.ExpectAsync($"md5sum <{Shared}/large"), await guest.ExpectAsync($"md5sum <{Mount}/large"));
        await guest.ExpectAsync($"umount {Mount}");
    }

    /// <summary>
    /// More threads than the window has ranges fault in a file that is larger than it. The host sees what they have stored while they have
    /// it mapped.
    /// </summary>
    [Fact]
    public async Task Threads_that_fault_and_store_at_random_wait_for_each_other_and_lose_nothing()
    {
        const int Pages = 128 << 8;
        const int Threads = 64;
        const int Touches = 20;
        using (FileStream file = File.Create(Path.Combine(Shared, "counted")))
        {
            byte[] page = new byte[4096];
            for (long i = 0; i < Pages; i++)
            {
                BitConverter.TryWriteBytes(page, i);
                file.Write(page);
            }
        }

        await using VirtualMachine guest = await BootAsync("sid");
        await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {Mount}");
        BackgroundCommand counting = await guest.StartAsync($"guest-tool count-mapped {Mount}/counted {Threads} {Touches}");
        await counting.WaitForOutputAsync("right", Patience);
        Assert.Equal(Threads * Touches, CountStored(Path.Combine(Shared, "counted")));
        Assert.InRange(Session.MappedRangeCount, 1, 30);
        output.WriteLine($"{Session.Counters[FuseOpcode.SetupMapping]} SETUPMAPPING for {Threads * Touches} touches");
        await counting.TellAsync();
        Assert.Equal(0, (await counting.CompletionAsync()).ExitCode);
    }

    /// <summary>What cannot be in the window is not, and what fails there fails in the program that touches it.</summary>
    [Fact]
    public async Task Full_disks_programs_and_killed_machines()
    {
        await HostShell.ExpectAsync(
            $"cd {Shared}; truncate -s 8M sparse; head -c 8M /dev/urandom >program; head -c 8M /dev/urandom >fixed; chmod +x program; " +
            "chattr +i fixed");
        await using (VirtualMachine guest = await BootAsync("sid"))
        {
            await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {Mount}");
            foreach (string name in (string[])["program", "fixed"])
            {
                Assert.Equal(
                    await HostShell.ExpectAsync($"md5sum <{Shared}/{name}"), await guest.ExpectAsync($"md5sum <{Mount}/{name}"));
            }

            Assert.Equal(0, Session.Counters[FuseOpcode.SetupMapping]);
            Assert.Equal("0", await guest.ExpectAsync($"tr -d '\\0' <{Mount}/sparse | wc -c"));
            Assert.Equal(4, Session.Counters[FuseOpcode.SetupMapping]);

            await HostShell.ExpectAsync(
                $"cd {Shared}; chattr -i fixed; for size in 100M 10M 1M 64K 4K; do i=0; " +
                "while fallocate -l $size fill-$size-$i 2>/dev/null; do i=$((i + 1)); done; done; true");
            // With write(2) an error, with a mapping a signal; for the program alone.
            string written = await guest.ExpectAsync(
                $"dd if=/dev/zero of={Mount}/sparse bs=4096 seek=300 count=1 conv=notrunc 2>&1; true");
            Assert.Contains("No space left", written, StringComparison.Ordinal);
            Assert.NotEqual(0, (await guest.RunAsync($"guest-tool touch-mapped {Mount}/sparse 600 store </dev/null")).ExitCode);
            await HostShell.ExpectAsync($"rm {Shared}/fill-*");
            await guest.ExpectAsync($"dd if=/dev/zero of={Mount}/sparse bs=4096 seek=600 count=1 conv=notrunc");
            Assert.InRange(Session.MappedRangeCount, 1, 30);
        }

        // Its VMM was killed.
        Assert.True(SpinWait.SpinUntil(() => Session.MappedRangeCount == 0, TimeSpan.FromMinutes(1)));
        await using VirtualMachine next = await BootAsync("sid");
        await next.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {Mount}");
        Assert.Equal(await HostShell.ExpectAsync($"md5sum <{Shared}/fixed"), await next.ExpectAsync($"md5sum <{Mount}/fixed"));
        Assert.True(Session.MappedRangeCount > 0);
    }

    private static long CountStored(string path)
    {
        long sum = 0;
        byte[] page = new byte[4096];
        using FileStream file = File.OpenRead(path);
        while (file.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length)
        {
            sum += BitConverter.ToInt64(page, 8);
        }

        return sum;
    }

    private static async Task<long> CachedAsync(VirtualMachine guest) => long.Parse(
        await guest.ExpectAsync("sync; awk '/^Cached:/ { print $2 }' /proc/meminfo"), CultureInfo.InvariantCulture);

    private async Task<VirtualMachine> BootAsync(string kernel) => await VirtualMachine.BootAsync(new VirtualMachineSettings
    {
        Name = "a",
        Image = kernel switch
        {
            "stable" => VirtualMachineImage.Stable with { Qemu = VirtualMachineImage.Sid.Qemu },
            "trixie" => VirtualMachineImage.Trixie,
            _ => VirtualMachineImage.Sid,
        },
        WorkFolder = _work,
        DaemonSocket = Socket,
        Tag = SharingDaemon.Tag,
        Device = FileSystemDevice.GenericVhostUser,
        KernelOptions = "panic_on_warn=1",
    });
}
