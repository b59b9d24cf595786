using System.Diagnostics;
using Coherency.Guest;
using Coherency.Guest.Files;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>What may happen to a machine while its module's request for events is waiting at the daemon.</summary>
public sealed class WatchedLifeTests(ITestOutputHelper output) : SingleGuestTest
{
    /// <summary>The module's thread is waiting for an answer.</summary>
    private const string Parked = @"grep -q request_wait_answer /proc/$(ps | awk '/\[coherency\//{ print $1 }')/wchan";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("stable")]
    [InlineData("trixie")]
    [InlineData("sid")]
    public async Task A_machine_is_stopped_goes_on_and_loses_its_device(string kernel)
    {
        await using CoherentServer server = new(Shared, Work, ["a"]);
        await using VirtualMachine guest = await BootAsync(server, kernel);
        using QemuMonitor monitor = await guest.OpenMonitorAsync();
        // Who waits for ten seconds is taken for stuck, and the kernel ends.
        await guest.ExpectAsync(
            "for f in hung_task_timeout_secs=10 hung_task_panic=1; do [ ! -e /proc/sys/kernel/${f%=*} ] || echo ${f#*=} " +
            ">/proc/sys/kernel/${f%=*}; done");
        Watcher watcher = await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
        await WaitAsync(guest, Parked);
        File.WriteAllText(Path.Combine(Shared, "lock"), "");
        await ExpectAsync(watcher, ". CREATE lock");

        await monitor.AskAsync("""{"execute": "stop"}""");
        Directory.CreateDirectory(Path.Combine(Shared, "stopped"));
        await Task.Delay(TimeSpan.FromSeconds(Soak.Count(3, 150)));
        await monitor.AskAsync("""{"execute": "cont"}""");
        await ExpectAsync(watcher, ". CREATE,ISDIR stopped");
        await guest.ExpectAsync("sleep 25");
        await WaitAsync(guest, Parked);
        Directory.CreateDirectory(Path.Combine(Shared, "later"));
        await ExpectAsync(watcher, ". CREATE,ISDIR later");

        await WaitAsync(guest, Parked);
        // QEMU 11.1's generic device maps its shared memory once only ("VIRTIO Shared Memory mapping overlap").
        if (kernel != "sid")
        {
            await guest.RebootAsync();
            await MountAsync(guest);
            await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
            await WaitAsync(guest, Parked);
        }

        BackgroundCommand waiter = await WaitForLockAsync(guest);
        Stopwatch watch = Stopwatch.StartNew();
        await monitor.AskAsync($$"""{"execute": "device_del", "arguments": {"id": "{{MachineArguments.ShareDevice}}"} }""");
        await WaitAsync(guest, "[ -z \"$(ls /sys/bus/virtio/drivers/virtiofs | grep virtio)\" ]");
        output.WriteLine($"{kernel}: without its device after {watch.ElapsedMilliseconds} ms");
        Assert.NotEqual(0, (await waiter.CompletionAsync(2 * Patience)).ExitCode);
        Assert.Equal("", await guest.ExpectAsync(@"ps | awk '/\[coherency\//'"));
        await guest.ExpectAsync($"killall guest-tool; umount {TwoGuests.MountPoint} && rmmod coherency");
        guest.AssertKernelIsSound();
    }

    /// <summary>A kernel that ends whole mounts for one request that takes too long, and a daemon that is asked to answer before.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_kernel_that_bounds_requests_ends_no_mount()
    {
        await using CoherentServer server = new(Shared, Work, ["a"]);
        await using VirtualMachine guest = await BootAsync(
            server, "sid", "echo 5 >/sys/module/coherency/parameters/events_hold; echo 15 >/proc/sys/fs/fuse/max_request_timeout");
        Watcher watcher = await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
        await guest.ExpectAsync("sleep 50");
        Directory.CreateDirectory(Path.Combine(Shared, "later"));
        await ExpectAsync(watcher, ". CREATE,ISDIR later");
    }

    [Fact]
    public async Task A_daemon_ends_although_a_guest_waits_for_events()
    {
        await using CoherencydProcess daemon = await CoherencydProcess.LaunchAsync(Shared, Work, ["a"], "coherent");
        await using VirtualMachine guest = await BootAsync(daemon, "stable");
        await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
        await WaitAsync(guest, Parked);
        Assert.Equal(0, await daemon.StopAsync());
    }

    /// <summary>As a debugger does, or a host that has no memory left: nothing is lost.</summary>
    [Fact]
    public async Task A_daemon_stands_still_and_goes_on()
    {
        await using CoherencydProcess daemon = await CoherencydProcess.LaunchAsync(Shared, Work, ["a", "b"], "coherent");
        await using VirtualMachine guest = await BootAsync(daemon, "stable");
        using VirtioFsGuest other = VirtioFsGuest.Connect(daemon.SocketOf("b"));
        other.Files.CreateFile("/lock").Dispose();
        using GuestFile holder = other.Files.Open("/lock");
        holder.Lock();
        Watcher watcher = await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
        await guest.ExpectAsync("echo 0 >/sys/module/coherency/parameters/locks_poll");
        BackgroundCommand waiter = await guest.StartAsync($"guest-tool lock posix exclusive wait {TwoGuests.MountPoint}/lock");
        await WaitAsync(guest, $"[ $(cat /sys/fs/coherency/{SharingDaemon.Tag}/lock_waits) = 1 ]");
        await WaitAsync(guest, Parked);

        daemon.Signal("STOP");
        Directory.CreateDirectory(Path.Combine(Shared, "meanwhile"));
        await Task.Delay(TimeSpan.FromSeconds(3));
        daemon.Signal("CONT");
        await ExpectAsync(watcher, ". CREATE,ISDIR meanwhile");
        holder.Unlock();
        await waiter.WaitForOutputAsync("held");
        await waiter.TellAsync();
        Assert.Equal(0, (await waiter.CompletionAsync(Patience)).ExitCode);
    }

    [Fact]
    public async Task A_daemon_that_is_told_to_tell_nothing_does_not()
    {
        await using CoherentServer server = new(Shared, Work, ["a"], configure: share => share.Events = false);
        await using VirtualMachine guest = await BootAsync(server, "stable");
        Watcher watcher = await Watcher.StartAsync(guest, TwoGuests.MountPoint, ".");
        Directory.CreateDirectory(Path.Combine(Shared, "others"));
        await guest.ExpectAsync($"until [ -d {TwoGuests.MountPoint}/others ]; do sleep 0.1; done; mkdir {TwoGuests.MountPoint}/own");
        Assert.Equal([". CREATE,ISDIR own"], await watcher.TakeAsync());
        Assert.Equal("0", await guest.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/subscribed"));
        Assert.Equal("", await guest.ExpectAsync(@"ps | awk '/\[coherency\//'"));
    }

    private static Task<string> WaitAsync(VirtualMachine guest, string condition) =>
        guest.ExpectAsync($"until {condition}; do sleep 0.1; done", 2 * Patience);

    /// <summary>One process has a lock, and one waits for it in the module.</summary>
    private static async Task<BackgroundCommand> WaitForLockAsync(VirtualMachine guest)
    {
        BackgroundCommand holder = await guest.StartAsync($"guest-tool lock posix exclusive try {TwoGuests.MountPoint}/lock");
        await holder.WaitForOutputAsync("held");
        BackgroundCommand waiter = await guest.StartAsync($"guest-tool lock posix exclusive wait {TwoGuests.MountPoint}/lock");
        await WaitAsync(guest, $"[ $(cat /sys/fs/coherency/{SharingDaemon.Tag}/lock_waits) = 1 ]");
        return waiter;
    }

    private static async Task ExpectAsync(Watcher watcher, string told)
    {
        DateTime end = DateTime.UtcNow + Patience;
        List<string> events = [];
        while (!events.Contains(told) && DateTime.UtcNow < end)
        {
            events.AddRange(await watcher.TakeAsync());
        }

        Assert.Contains(told, events);
    }
}
