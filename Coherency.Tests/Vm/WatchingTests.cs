using System.Diagnostics;
using System.Globalization;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Guest;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>
/// Who watches files in guest A hears of what the host and guest B change, as on a local file system: the same changes are made on
/// a tmpfs of A's, call by call, and the events compared.
/// </summary>
public abstract class WatchingTests(CoherentGuests guests, ITestOutputHelper output) : GuestTest(guests)
{
    private const string Parameters = "/sys/module/coherency/parameters";
    private const string Share = $"/sys/fs/coherency/{SharingDaemon.Tag}";
    private const string Reference = "/run/reference";

    /// <summary>The module's thread that waits for events.</summary>
    private const string Listener = @"ps | awk '/\[coherency\//'";

    /// <summary>Longer than a closed file of a guest is taken for open.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Both are watched after they were prepared.</summary>
    private const string Prepare =
        "mkdir -p d/inner d/moved d/empty d/another d2 && for f in file old replaced other linked held; do echo 1 >d/$f; done && ln " +
        "d/linked d2/also";

    private static readonly string[] Watched = [".", "d", "d2", "d/file", "d/moved", "d/replaced", "d/linked", "d/empty", "d/old"];

    /// <summary>By design: where guests spare opens, another guest's truncation looks like that of an open, which is closed.</summary>
    private const string Truncation = "a truncation";

    /// <summary>For thousands of rounds; what never comes ends a test.</summary>
    private static readonly TimeSpan Unhurried = TimeSpan.FromMinutes(Soak.Count(5, 120));

    private readonly CoherentGuests _guests = guests;

    /// <summary>Calls as eng/vm/guest-calls.c takes them; a step's events are compared before the next one.</summary>
    private static readonly (string Name, string[] Calls)[] Steps =
    [
        ("a new file", ["mknod /d/made file 0644"]),
        ("a new file that is written", ["open 1 /d/new w,creat,excl 0644", "write 1 A 10", "close 1"]),
        ("a new directory", ["mkdir /d/directory 0755"]),
        ("a new file in it, which nobody watches", ["mknod /d/directory/file file 0644"]),
        ("a symlink", ["symlink target /d/symlink"]),
        ("a pipe", ["mknod /d/pipe fifo 0644"]),
        ("a write", ["open 1 /d/file w 0", "write 1 B 100", "close 1"]),
        ("an append", ["open 1 /d/file w,append 0", "write 1 C 100", "close 1"]),
        (Truncation, ["truncate /d/file 10"]),
        ("a shell's >", ["open 1 /d/file w,trunc 0", "write 1 D 5", "close 1"]),
        ("space", ["open 1 /d/file w 0", "fallocate 1 allocate 0 8192", "close 1"]),
        ("a mode", ["chmod /d/file 0600"]),
        ("a directory's mode", ["chmod /d/moved 0700"]),
        ("an owner", ["chown /d/other 1 1 none"]),
        ("times", ["utimens /d/file 1000 1000 none"]),
        ("an attribute", ["setxattr /d/file trusted.test A 5 none"]),
        ("no attribute", ["removexattr /d/file trusted.test"]),
        ("a link", ["link /d/file /d/hard none"]),
        ("one of two links", ["unlink /d/hard"]),
        ("a new name", ["rename /d/old /d/renamed none"]),
        ("another directory", ["rename /d/renamed /d2/across none"]),
        ("a save by rename", ["open 1 /d/temporary w,creat,excl 0644", "write 1 E 50", "close 1", "rename /d/temporary /d/replaced none"]),
        (
            "a save by rename of a new file",
            ["open 1 /d/temporary w,creat,excl 0644", "write 1 E 50", "close 1", "rename /d/temporary /d/saved none"]),
        ("an exchange", ["rename /d/file /d/other exchange"]),
        ("a directory's move", ["rename /d/moved /d2/moved none"]),
        ("a new file in it, which is watched", ["mknod /d2/moved/file file 0644"]),
        ("a directory over an empty one", ["rename /d/inner /d/another none"]),
        ("one of two watched links", ["unlink /d/linked"]),
        ("the other one", ["unlink /d2/also"]),
        ("a watched directory's end", ["rmdir /d/empty"]),
        ("a directory's end", ["rmdir /d/another"]),
        ("an end", ["unlink /d/made"]),
        ("a watched file's end", ["unlink /d/other"]),
    ];

    [Theory]
    [InlineData("host")]
    [InlineData("guest")]
    public async Task What_others_change_is_told_as_on_a_local_file_system(string changer)
    {
        await A.ExpectAsync($"rm -rf {Reference} && mkdir {Reference} && cd {Reference} && {Prepare}");
        await HostShell.ExpectAsync($"cd {HostFolder} && {Prepare}");
        Watcher local = await Watcher.StartAsync(A, Reference, Watched), shared = await Watcher.StartAsync(A, Folder, Watched);
        List<string> differences = [];
        foreach ((string name, string[] calls) in Steps)
        {
            AssertDone(await A.ExpectAsync(CommandFor(Reference, calls)), calls);
            IReadOnlyList<string> expected = await local.TakeAsync();
            if (changer == "guest")
            {
                expected = name == Truncation ? [.. expected, "d CLOSE_WRITE file", "d/file CLOSE_WRITE"] : CloseAfterMove(expected);
            }

            AssertDone(changer == "host"
                ? await HostShell.ExpectAsync(CommandFor(HostFolder, calls, A.Settings.Image.GuestCalls))
                : await B.ExpectAsync(CommandFor(Folder, calls)), calls);
            IReadOnlyList<string> told = await shared.TakeAsync(expected, Patience);
            if (!told.SequenceEqual(expected))
            {
                differences.Add($"{name}:\n  expected {string.Join("; ", expected)}\n  told     {string.Join("; ", told)}");
            }
        }

        await local.EndAsync(Reference);
        await shared.EndAsync(Folder);
        output.WriteLine(
            $"{Steps.Length} steps; events {await A.ExpectAsync($"cat {Share}/events")}, lost " +
            $"{await A.ExpectAsync($"cat {Share}/events_lost")}");
        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    [Theory]
    [InlineData("host")]
    [InlineData("guest")]
    public async Task No_change_is_missed(string changer)
    {
        int files = Soak.Count(300, 2500);
        Watcher watcher = await Watcher.StartAsync(A, Folder, ".");
        string lost = await A.ExpectAsync($"cat {Share}/events_lost");
        string Changes(string folder) => $"cd {folder} && for i in $(seq {files}); do echo $i >new-$i; mv new-$i file-$i; rm file-$i; done";
        _ = changer == "host" ? await HostShell.ExpectAsync(Changes(HostFolder)) : await B.ExpectAsync(Changes(Folder), Unhurried);
        HashSet<string> expected = [.. Enumerable.Range(1, files).SelectMany(i => new[]
        {
            $". CREATE new-{i}", $". MODIFY new-{i}", $". MOVED_FROM new-{i}", $". MOVED_TO file-{i}", $". DELETE file-{i}",
        })];
        DateTime end = DateTime.UtcNow + Unhurried;
        while (expected.Count > 0 && DateTime.UtcNow < end)
        {
            expected.ExceptWith((await watcher.TakeAsync()).Select(told => told.Split(" cookie")[0]));
            await Task.Delay(Soak.Count(100, 2000));
        }

        await watcher.EndAsync(Folder);
        Assert.True(
            expected.Count == 0, $"{expected.Count} of {5 * files} events did not come: {string.Join(", ", expected.Order().Take(10))}");
        Assert.Equal(lost, await A.ExpectAsync($"cat {Share}/events_lost"));
    }

    /// <summary>Each change waits for the watcher, which has to see it at its event: there is only the one.</summary>
    [Theory]
    [InlineData("host")]
    [InlineData("guest")]
    public async Task Who_looks_at_an_event_sees_the_change(string changer)
    {
        int rounds = Soak.Count(200, 2000);
        await HostShell.ExpectAsync($"cd {HostFolder} && mkdir watched && echo 0 >watched/number && echo 0 >acknowledged");
        BackgroundCommand follower = await A.StartAsync($"exec guest-tool follow {Folder}/watched number ../acknowledged {rounds}");
        await follower.WaitForOutputAsync("watching");
        Stopwatch watch = Stopwatch.StartNew();
        string Changes(string folder) =>
            $"cd {folder} && for i in $(seq {rounds}); do echo $i >new; mv new watched/number; n=0; "
            + "until [ \"$(cat acknowledged)\" = $i ]; do n=$((n+1)); [ $n -lt 20000 ] || { echo $i is stale; exit 1; }; done; done";
        _ = changer == "host" ? await HostShell.ExpectAsync(Changes(HostFolder)) : await B.ExpectAsync(Changes(Folder), Unhurried);
        output.WriteLine(
            $"{rounds} changes by the {changer} in {watch.Elapsed.TotalSeconds:F1} s; " +
            $"{(await follower.CompletionAsync()).Text.Split('\n')[^1]}");
    }

    /// <summary>
    /// What changes after a watch was added is told, whoever was about to change it then. With nobody subscribed before, this subscribes.
    /// </summary>
    [Theory]
    [InlineData("host", false)]
    [InlineData("guest", false)]
    [InlineData("host", true)]
    [InlineData("guest", true)]
    public async Task Nothing_is_missed_from_the_return_of_the_watch_on(string changer, bool subscribes)
    {
        int rounds = subscribes ? Soak.Count(10, 1000) : Soak.Count(200, 10_000);
        await HostShell.ExpectAsync($"mkdir {HostFolder}/watched && echo 0 >{HostFolder}/watched/number");
        string Changes(string folder) => $"cd {folder}; i=0; while [ ! -e stop ]; do i=$((i+1)); echo $i >new; mv new watched/number; " +
            "sleep 0.01; done";
        Task<string> host = changer == "host" ? HostShell.ExpectAsync(Changes(HostFolder)) : Task.FromResult("");
        BackgroundCommand? guest = changer == "guest" ? await B.StartAsync(Changes(Folder)) : null;
        try
        {
            BackgroundCommand race = await A.StartAsync(
                $"exec guest-tool race-watch {Folder}/watched number {rounds} {(subscribes ? SharingDaemon.Tag : "")}");
            CommandResult result = await race.CompletionAsync(Unhurried);
            Assert.Equal("all told", result.Text.Split('\n')[^1]);
        }
        finally
        {
            await A.RunAsync($"killall guest-tool; echo 1 >{Parameters}/events");
            await HostShell.ExpectAsync($"touch {HostFolder}/stop");
            await host;
            await (guest?.CompletionAsync(LongCommand) ?? Task.CompletedTask);
        }
    }

    /// <summary>
    /// From the change's return, by the host or a guest in this process, to the watcher's return from read(2), in an emulated guest.
    /// </summary>
    [Theory]
    [InlineData("host")]
    [InlineData("guest")]
    public async Task How_long_it_takes_until_a_watcher_hears(string changer)
    {
        int rounds = Soak.Count(100, 2000);
        await HostShell.ExpectAsync($"cd {HostFolder} && mkdir watched && echo 0 >watched/number && echo 0 >acknowledged");
        using VirtioFsGuest other = _guests.Server.ConnectUserSpaceGuest();
        NodeId folder = new(other.Fuse.Lookup(NodeId.Root, Encoding.UTF8.GetBytes(Path.GetFileName(HostFolder))).nodeid);
        NodeId watched = new(other.Fuse.Lookup(folder, "watched"u8).nodeid);
        BackgroundCommand follower = await A.StartAsync($"exec guest-tool follow {Folder}/watched number ../acknowledged {rounds}");
        await follower.WaitForOutputAsync("watching");
        DelayClock clock = new();
        for (int i = 1; i <= rounds; i++)
        {
            File.WriteAllText($"{HostFolder}/new", $"{i}\n");
            if (changer == "host")
            {
                File.Move($"{HostFolder}/new", $"{HostFolder}/watched/number", true);
            }
            else
            {
                other.Fuse.Rename(folder, "new"u8, watched, "number"u8);
            }

            clock.Changed(i);
            // It answers what it has heard of: at once, when nothing else holds it up.
            while (File.ReadAllText($"{HostFolder}/acknowledged") != $"{i}\n")
            {
                Assert.True(clock.SinceChange < Unhurried, $"{i} was not heard of");
                Thread.Sleep(1);
            }

            clock.Answered(i);
        }

        string told = (await follower.CompletionAsync()).Text;
        output.WriteLine($"by the {changer}: {clock.Describe(told)}");
    }

    [Fact]
    public async Task A_storm_is_told()
    {
        const string Limit = "/proc/sys/fs/inotify/max_queued_events";
        int files = Soak.Count(500, 20_000);
        await A.ExpectAsync($"echo 1000000 >{Limit}");
        BackgroundCommand watcher = await A.StartAsync($"guest-tool watch end {Folder} . >/run/storm");
        await A.ExpectAsync("until grep -q watching /run/storm; do sleep 0.1; done");
        string before = await A.ExpectAsync($"cat {Share}/events {Share}/events_lost");
        TimeSpan processor = Environment.CpuUsage.TotalTime;
        Stopwatch watch = Stopwatch.StartNew();
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && python3 -c 'import os\nfor i in range({files}): open(str(i), \"w\").write(\"1\"); " +
            "os.rename(str(i), f\"f{i}\"); os.unlink(f\"f{i}\")'");
        TimeSpan made = watch.Elapsed;
        // One that cannot be kept is told as a hint, so that there may have to be several.
        int ends = 0;
        do
        {
            Assert.True(watch.Elapsed < Unhurried, await A.ExpectAsync($"cat {Share}/events {Share}/events_lost; tail -n 5 /run/storm"));
            await HostShell.ExpectAsync($"mkdir {HostFolder}/last-{++ends}");
        }
        while (await A.ExpectAsync(
            "i=0; until tail -n 50 /run/storm | grep -q 'CREATE,ISDIR last' || [ $i -eq 20 ]; do i=$((i+1)); sleep 0.2; done; echo $i")
            == "20");
        TimeSpan told = watch.Elapsed;
        processor = Environment.CpuUsage.TotalTime - processor;
        await A.ExpectAsync($"touch {Folder}/end");
        await watcher.CompletionAsync();
        long heard = long.Parse(await A.ExpectAsync("wc -l </run/storm"), CultureInfo.InvariantCulture) - 1 - ends;
        string hints = await A.ExpectAsync("grep -c ' ATTRIB,ISDIR' /run/storm; rm /run/storm");
        string after = await A.ExpectAsync($"cat {Share}/events {Share}/events_lost");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{4 * files} changes in {made.TotalSeconds:F1} s; {heard} events heard within {told.TotalSeconds:F1} s, " +
            $"{heard / told.TotalSeconds:F0} a second, {processor.TotalMicroseconds / heard:F1} us of this process's time for each; " +
            $"{hints} hints; events and events_lost before: {before.Replace('\n', ' ')}, after: {after.Replace('\n', ' ')}"));
        // What is made and removed by the time that the daemon looks at it may be told together, but each name is told; or that more
        // happened than could be kept, and the guest counts that.
        Assert.True(
            heard >= 4 * files || (before.Split('\n')[1] != after.Split('\n')[1] && hints != "0"),
            $"{heard} events of {4 * files} changes");
    }

    /// <summary>Groups that are told handles, on a directory. Linux 6.1 has none on a file system without an id, as FUSE is one.</summary>
    [Theory]
    [InlineData("host")]
    [InlineData("guest")]
    public async Task What_others_change_is_told_by_fanotify_too(string changer)
    {
        const string Changes =
            "echo 1 >file && mv file moved && mkdir directory && chmod 700 directory && rm moved && rmdir directory && mkdir end";
        await A.ExpectAsync($"rm -rf {Reference} && mkdir {Reference}");
        string expected = await ToldAsync(Reference, () => A.ExpectAsync($"cd {Reference} && {Changes}"));
        Assert.Contains("MOVED_TO moved", expected, StringComparison.Ordinal);
        string told = await ToldAsync(Folder, () => changer == "host"
            ? HostShell.ExpectAsync($"cd {HostFolder} && {Changes}") : B.ExpectAsync($"cd {Folder} && {Changes}"));
        Assert.Equal(A.Settings.Image == VirtualMachineImage.Stable ? "ENODEV" : expected, told);

        // The kernel puts events of one name together, so that their order is not that of the changes.
        async Task<string> ToldAsync(string folder, Func<Task> change)
        {
            BackgroundCommand watcher = await A.StartAsync($"exec guest-tool fanotify end {folder}");
            if (folder == Reference || A.Settings.Image != VirtualMachineImage.Stable)
            {
                await watcher.WaitForOutputAsync("watching");
                await change();
            }

            return string.Join('\n', (await watcher.CompletionAsync(LongCommand)).Text.Split('\n').Order(StringComparer.Ordinal));
        }
    }

    /// <summary>Its own kernel tells it that it was too slow, and that costs nobody else anything.</summary>
    [Fact]
    public async Task Who_does_not_read_is_told_that_it_missed_something()
    {
        const string Limit = "/proc/sys/fs/inotify/max_queued_events";
        string before = await A.ExpectAsync($"cat {Limit}; echo 50 >{Limit}");
        Watcher stopped = await Watcher.StartAsync(A, Folder, ".");
        await A.ExpectAsync($"echo {before} >{Limit}; killall -STOP guest-tool");
        Watcher reading = await Watcher.StartAsync(A, Folder, ".");
        await HostShell.ExpectAsync($"cd {HostFolder} && for i in $(seq 200); do mkdir new-$i; done");
        await B.ExpectAsync($"cd {Folder} && for i in $(seq 200); do rmdir new-$i; done");
        string[] expected = [.. Enumerable.Range(1, 200).Select(i => $". CREATE,ISDIR new-{i}")
            .Concat(Enumerable.Range(1, 200).Select(i => $". DELETE,ISDIR new-{i}"))];
        Assert.Equal(expected, await reading.TakeAsync(expected, LongCommand));
        await A.ExpectAsync("killall -CONT guest-tool");
        string[] overflow = [.. expected[..50], "- Q_OVERFLOW"];
        Assert.Equal(overflow, await stopped.TakeAsync(overflow, Patience));
        await reading.EndAsync(Folder);
        await stopped.EndAsync(Folder);
    }

    /// <summary>Without the module, that is: what these tests look for is not there by itself.</summary>
    [Fact]
    public async Task Stock_virtiofs_tells_nothing_of_others()
    {
        await A.ExpectAsync(
            $"umount {TwoGuests.MountPoint} && mount -t virtiofs {SharingDaemon.Tag} {TwoGuests.MountPoint}", LongCommand);
        try
        {
            Watcher watcher = await Watcher.StartAsync(A, Folder, ".");
            await B.ExpectAsync($"mkdir {Folder}/guest");
            await HostShell.ExpectAsync($"mkdir {HostFolder}/host");
            await A.ExpectAsync($"until [ -d {Folder}/guest ] && [ -d {Folder}/host ]; do sleep 0.1; done; mkdir {Folder}/own");
            Assert.Equal([". CREATE,ISDIR own"], await watcher.TakeAsync());
            await watcher.EndAsync(Folder);
        }
        finally
        {
            await A.ExpectAsync($"umount {TwoGuests.MountPoint}", LongCommand);
            await _guests.MountAsync(A);
        }
    }

    [Fact]
    public async Task Who_does_not_watch_costs_no_request()
    {
        Watcher watcher = await Watcher.StartAsync(A, Folder, ".");
        Assert.Equal("1", await A.ExpectAsync($"cat {Share}/subscribed"));
        Assert.Contains("coherency/", await A.ExpectAsync(Listener), StringComparison.Ordinal);
        await watcher.EndAsync(Folder);
        await A.ExpectAsync($"until [ $(cat {Share}/subscribed) = 0 ]; do sleep 0.1; done");
        Assert.Equal("", await A.ExpectAsync(Listener));

        string events = await A.ExpectAsync($"cat {Share}/events");
        long before = CountAll();
        await HostShell.ExpectAsync($"touch {HostFolder}/file");
        await B.ExpectAsync($"touch {Folder}/other && sleep 3");
        Assert.Equal(before, CountAll());
        Assert.Equal(events, await A.ExpectAsync($"cat {Share}/events"));
    }

    [Fact]
    public async Task Who_is_told_nothing_sees_nothing()
    {
        // What was told to who watched before ends some seconds after him.
        await A.ExpectAsync($"echo 0 >{Parameters}/events && until [ $(cat {Share}/subscribed) = 0 ]; do sleep 0.1; done");
        try
        {
            Watcher watcher = await Watcher.StartAsync(A, Folder, ".");
            await B.ExpectAsync($"touch {Folder}/file");
            await HostShell.ExpectAsync($"touch {HostFolder}/other");
            Assert.Equal("0", await A.ExpectAsync($"sleep 2; cat {Share}/subscribed"));
            await A.ExpectAsync($"mkdir {Folder}/own");
            Assert.Equal([". CREATE,ISDIR own"], await watcher.TakeAsync());

            // Who watched before is told that anything may have changed, and of what changes from then on.
            await A.ExpectAsync($"echo 1 >{Parameters}/events && until [ $(cat {Share}/subscribed) = 1 ]; do sleep 0.1; done");
            await HostShell.ExpectAsync($"mkdir {HostFolder}/later");
            DateTime end = DateTime.UtcNow + Patience;
            List<string> told = [];
            while (!told.Contains(". CREATE,ISDIR later") && DateTime.UtcNow < end)
            {
                told.AddRange(await watcher.TakeAsync());
            }

            Assert.Contains(". ATTRIB,ISDIR", told);
            Assert.Contains(". MODIFY,ISDIR own", told);
            Assert.Contains(". CREATE,ISDIR later", told);
            await watcher.EndAsync(Folder);
        }
        finally
        {
            await A.ExpectAsync($"echo 1 >{Parameters}/events");
        }
    }

    /// <summary>With a watch on it, and the request for events at the daemon for minutes.</summary>
    [Fact]
    public async Task A_watched_share_is_unmounted_and_the_module_removed()
    {
        Watcher watcher = await Watcher.StartAsync(A, Folder, ".");
        await A.ExpectAsync($"sleep 1; [ $(cat {Share}/subscribed) = 1 ]");
        Stopwatch watch = Stopwatch.StartNew();
        await A.ExpectAsync($"umount {TwoGuests.MountPoint}", TimeSpan.FromSeconds(30));
        output.WriteLine($"unmounted in {watch.ElapsedMilliseconds} ms");
        await A.ExpectAsync("rmmod coherency && insmod /modules/coherency.ko", TimeSpan.FromSeconds(30));
        Assert.Contains(". UNMOUNT,ISDIR", await watcher.TakeAsync());
        await A.ExpectAsync("killall guest-tool");
        await _guests.MountAsync(A);

        Watcher again = await Watcher.StartAsync(A, Folder, ".");
        await B.ExpectAsync($"mkdir {Folder}/directory");
        string[] expected = [". CREATE,ISDIR directory"];
        Assert.Equal(expected, await again.TakeAsync(expected, Patience));
        await again.EndAsync(Folder);
    }

    /// <summary>By design: another guest's close is told a second later, by the name that the file has then.</summary>
    private static IReadOnlyList<string> CloseAfterMove(IReadOnlyList<string> events)
    {
        string? from = events.FirstOrDefault(told => told.Contains(" MOVED_FROM ", StringComparison.Ordinal));
        string? to = events.FirstOrDefault(told => told.Contains(" MOVED_TO ", StringComparison.Ordinal));
        string? close = from?.Split(" cookie")[0].Replace("MOVED_FROM", "CLOSE_WRITE", StringComparison.Ordinal);
        return close is null || to is null || !events.Contains(close)
            ? events
            : [.. events.Where(told => told != close), to.Split(" cookie")[0].Replace("MOVED_TO", "CLOSE_WRITE", StringComparison.Ordinal)];
    }

    private long CountAll() => _guests.Server.CountAllRequests(A.Name);

    /// <summary>The greeting, then "ok" for the process, then an answer for each call, then "ok" for the end.</summary>
    private static void AssertDone(string answers, string[] calls)
    {
        string[] lines = answers.Split('\n');
        Assert.True(
            lines.Length == calls.Length + 3 && lines.Skip(1).All(
                line => line == "ok" || int.TryParse(line, CultureInfo.InvariantCulture, out _)),
            $"{string.Join("; ", calls)}: {answers}");
    }

    private static string CommandFor(string root, string[] calls, string program = "guest-calls") =>
        $"{{ echo new 1 0 0 0 0 {root}; echo run 1 {calls.Length}; " +
            string.Concat(calls.Select(call => $"echo '{call}'; ")) + $"echo end; }} | {program}";
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableWatchingTests(CoherentStableGuests guests, ITestOutputHelper output) : WatchingTests(guests, output);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieWatchingTests(CoherentTrixieGuests guests, ITestOutputHelper output) : WatchingTests(guests, output);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidWatchingTests(CoherentSidGuests guests, ITestOutputHelper output) : WatchingTests(guests, output);
