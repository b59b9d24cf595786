using System.Diagnostics;
using System.Globalization;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// Waiting for a lock in a guest with the module is as on a local file system: it can be interrupted, and ends with a deadlock.
/// </summary>
public abstract class GuestLockWaitTests(CoherentGuests guests, ITestOutputHelper output) : GuestTest(guests)
{
    private const string Waits = $"/sys/fs/coherency/{SharingDaemon.Tag}/lock_waits";
    private const string PollParameter = "/sys/module/coherency/parameters/locks_poll";

    private readonly CoherentGuests _guests = guests;

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task A_process_that_waits_ends_within_100_milliseconds_of_a_signal(string kind)
    {
        const int patience = 200;
        BackgroundCommand holder = await HoldAsync(A, kind);
        foreach (string signal in new[] { "kill", "int", "alarm" })
        {
            // On a busy machine not always; without this, never.
            List<long> took = [];
            do
            {
                string text = await B.ExpectAsync($"guest-tool lock-signal {kind} {signal} {Folder}/lock {Waits}");
                took.Add(long.Parse(text, CultureInfo.InvariantCulture));
            }
            while (took.Min() > 100_000 && took.Count < patience);

            output.WriteLine($"{kind}, {signal}: {string.Join(", ", took)} us");
            Assert.True(took.Min() <= 100_000, $"{signal}: {string.Join(", ", took)} us");
        }

        Assert.Equal("0", await B.ExpectAsync($"cat {Waits}"));
        Assert.Equal(0, _guests.Server.LockWaitsOfClients);
        await EndAsync(holder);
        Assert.Equal("held", await B.ExpectAsync($"guest-tool lock {kind} exclusive try {Folder}/lock </dev/null"));
    }

    [Fact]
    public async Task A_wait_of_flock_has_an_end()
    {
        BackgroundCommand holder = await HoldAsync(A, "flock");
        Assert.Equal("1\n0", await B.ExpectAsync($"flock -w 0.3 {Folder}/lock true; echo $?; cat {Waits}", LongCommand));
        await EndAsync(holder);
        Assert.Equal("got", await B.ExpectAsync($"flock -w 100 {Folder}/lock echo got", LongCommand));
    }

    /// <summary>Nobody asks but when he was told: a lost message would keep a process waiting for good.</summary>
    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task Of_many_that_wait_in_both_guests_each_gets_it_once(string kind)
    {
        int processes = Soak.Count(20, 500);
        await Task.WhenAll(SetPollAsync(A, 0), SetPollAsync(B, 0));
        try
        {
            BackgroundCommand holder = await HoldAsync(A, kind);
            await HostShell.ExpectAsync($"echo 0 >{HostFolder}/counter");
            string herd = $"guest-tool lock-herd {kind} {Folder}/lock {Folder}/counter {processes}";
            BackgroundCommand[] herds = [await A.StartAsync(herd), await B.StartAsync(herd)];
            await Task.WhenAll(A.ExpectAsync(UntilWaiting(processes), LongCommand), B.ExpectAsync(UntilWaiting(processes), LongCommand));
            long before = Asked();
            Stopwatch watch = Stopwatch.StartNew();
            await EndAsync(holder);
            foreach (BackgroundCommand one in herds)
            {
                CommandResult result = await one.CompletionAsync(TimeSpan.FromMinutes(30));
                Assert.Equal($"waiting\n{processes}", result.Text);
            }

            output.WriteLine($"2 x {processes} of {kind}: {watch.ElapsedMilliseconds} ms, {Asked() - before} SETLKW");
            Assert.Equal($"{2 * processes}", await HostShell.ExpectAsync($"cat {HostFolder}/counter"));
            Assert.Equal("0\n0", $"{await A.ExpectAsync($"cat {Waits}")}\n{await B.ExpectAsync($"cat {Waits}")}");
            Assert.Equal(0, _guests.Server.LockWaitsOfClients);
        }
        finally
        {
            await Task.WhenAll(SetPollAsync(A, 500), SetPollAsync(B, 500));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_circle_of_those_that_wait_is_a_deadlock(bool isInOneGuest)
    {
        await HostShell.ExpectAsync($"touch {HostFolder}/lock");
        VirtualMachine other = isInOneGuest ? A : B;
        BackgroundCommand first = await A.StartAsync($"guest-tool lock-circle {Folder}/lock 0 1 1");
        BackgroundCommand second = await other.StartAsync($"guest-tool lock-circle {Folder}/lock 1 1 2");
        BackgroundCommand third = await A.StartAsync($"guest-tool lock-circle {Folder}/lock 2 1 0");
        foreach (BackgroundCommand one in new[] { first, second, third })
        {
            await one.WaitForOutputAsync("held");
        }

        await first.TellAsync();
        await second.TellAsync();
        await WaitUntilAsync(() => Task.FromResult(_guests.Server.LockWaitsOfClients == 2));
        await third.TellAsync();
        Assert.Equal("held\nEDEADLK", (await third.CompletionAsync()).Text);
        // That one's locks are gone: the others get what they want, one after the other.
        await second.WaitForOutputAsync("both");
        await second.TellAsync();
        Assert.Equal("held\nboth", (await second.CompletionAsync()).Text);
        await first.WaitForOutputAsync("both");
        await first.TellAsync();
        Assert.Equal("held\nboth", (await first.CompletionAsync()).Text);
    }

    /// <summary>The request that waits at the daemon is there while somebody waits for a lock, and for nobody.</summary>
    [Fact]
    public async Task Nothing_is_asked_while_nobody_waits()
    {
        BackgroundCommand holder = await HoldAsync(A, "posix");
        BackgroundCommand waiter = await B.StartAsync($"guest-tool lock posix exclusive wait {Folder}/lock");
        await B.ExpectAsync(UntilWaiting(1), LongCommand);
        await B.ExpectAsync(@"until ps | grep -q '[[]coherency/'; do sleep 0.1; done", LongCommand);
        await EndAsync(holder);
        await waiter.WaitForOutputAsync("held");
        await waiter.TellAsync();
        await waiter.CompletionAsync();
        await B.ExpectAsync(@"while ps | grep -q '[[]coherency/'; do sleep 0.1; done", LongCommand);
        Assert.False(_guests.Server.HasWaitingPoll(B.Name));
    }

    /// <summary>Where nobody tells of locks, they are asked for now and then.</summary>
    [Fact]
    public async Task Without_a_channel_a_lock_is_got_all_the_same()
    {
        await B.ExpectAsync("echo N >/sys/module/coherency/parameters/events");
        try
        {
            BackgroundCommand holder = await HoldAsync(A, "posix");
            BackgroundCommand waiter = await B.StartAsync($"guest-tool lock posix exclusive wait {Folder}/lock");
            await B.ExpectAsync(UntilWaiting(1), LongCommand);
            await EndAsync(holder);
            await waiter.WaitForOutputAsync("held");
            await waiter.TellAsync();
            await waiter.CompletionAsync();
        }
        finally
        {
            await B.ExpectAsync("echo Y >/sys/module/coherency/parameters/events");
        }
    }

    /// <summary>Nobody tells what programs of the host do.</summary>
    [Fact]
    public async Task A_lock_of_the_host_is_waited_for()
    {
        await HostShell.ExpectAsync($"touch {HostFolder}/lock");
        Task<string> host = HostShell.ExpectAsync($"flock {HostFolder}/lock sh -c 'touch {HostFolder}/locked; sleep 2'");
        await WaitUntilAsync(() => Task.FromResult(File.Exists($"{HostFolder}/locked")));
        Assert.Equal("got", await B.ExpectAsync($"flock {Folder}/lock echo got", LongCommand));
        await host;
    }

    /// <summary>Of the guest that dies, one process has what a process of the other one waits for, and one waits.</summary>
    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task What_a_guest_had_that_dies_others_get_and_what_it_waited_for_is_left(string kind)
    {
        await HostShell.ExpectAsync($"touch {HostFolder}/lock {HostFolder}/other");
        await SetPollAsync(A, 0);
        try
        {
            BackgroundCommand own = await A.StartAsync($"guest-tool lock {kind} exclusive try {Folder}/other");
            await own.WaitForOutputAsync("held");
            await HoldAsync(B, kind);
            await B.StartAsync($"guest-tool lock {kind} exclusive wait {Folder}/other");
            BackgroundCommand waiter = await A.StartAsync($"guest-tool lock {kind} exclusive wait {Folder}/lock");
            await Task.WhenAll(A.ExpectAsync(UntilWaiting(1), LongCommand), B.ExpectAsync(UntilWaiting(1), LongCommand));
            Assert.Equal(2, _guests.Server.LockWaitsOfClients);

            await B.KillAsync();
            await waiter.WaitForOutputAsync("held");
            await WaitUntilAsync(() => Task.FromResult(_guests.Server.LockWaitsOfClients == 0));
            await EndAsync(waiter);
            await EndAsync(own);
            Assert.Equal("0", await A.ExpectAsync($"cat {Waits}"));
        }
        finally
        {
            await SetPollAsync(A, 500);
            await _guests.EnsureReadyAsync();
        }
    }

    /// <summary>Alone in one guest, and in both on files of their own; the programs are this machine's, from the share.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public async Task Stressors_of_locks_end_by_themselves_and_leave_nothing()
    {
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && mkdir a b && cp $(command -v stress-ng) . && cp $(ldd stress-ng | grep -o '/[^ ]*') . && "
            + "cp /lib64/ld-linux-x86-64.so.2 ld");
        string StressAt(string folder) =>
            $"cd {Folder} && ./ld --library-path . ./stress-ng --flock 2 --lockf 2 --lockofd 2 --locka 2 --timeout 3 "
            + $"--temp-path {folder} 2>&1";
        string[] said = await Task.WhenAll(A.ExpectAsync(StressAt("a"), LongCommand), B.ExpectAsync(StressAt("b"), LongCommand));
        output.WriteLine(string.Join('\n', said));
        Assert.All(said, text => Assert.Contains("successful run completed", text, StringComparison.Ordinal));
        Assert.Equal("0\n0", $"{await A.ExpectAsync($"cat {Waits}")}\n{await B.ExpectAsync($"cat {Waits}")}");
        Assert.Equal(0, _guests.Server.LockWaitsOfClients);
        Assert.Equal("", await HostShell.ExpectAsync($"ls {HostFolder}/a {HostFolder}/b | grep -v : || true"));
    }

    private static string UntilWaiting(int processes) => $"until [ $(cat {Waits}) = {processes} ]; do sleep 0.1; done";

    private static Task<string> SetPollAsync(VirtualMachine guest, int milliseconds) =>
        guest.ExpectAsync($"echo {milliseconds} >{PollParameter}");

    private static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        DateTime end = DateTime.UtcNow + LongCommand;
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < end);
            await Task.Delay(20);
        }
    }

    private static async Task EndAsync(BackgroundCommand holder)
    {
        await holder.TellAsync();
        await holder.CompletionAsync();
    }

    private long Asked() => new[] { A, B }.Sum(
        guest => _guests.Server.CountRequests(guest.Name).GetValueOrDefault(Coherency.Core.Fuse.FuseOpcode.SetLkw));

    private async Task<BackgroundCommand> HoldAsync(VirtualMachine guest, string kind)
    {
        await HostShell.ExpectAsync($"touch {HostFolder}/lock");
        BackgroundCommand holder = await guest.StartAsync($"guest-tool lock {kind} exclusive try {Folder}/lock");
        await holder.WaitForOutputAsync("held");
        return holder;
    }
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableLockWaitTests(CoherentStableGuests guests, ITestOutputHelper output) : GuestLockWaitTests(guests, output);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieLockWaitTests(CoherentTrixieGuests guests, ITestOutputHelper output) : GuestLockWaitTests(guests, output);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidLockWaitTests(CoherentSidGuests guests, ITestOutputHelper output) : GuestLockWaitTests(guests, output);
