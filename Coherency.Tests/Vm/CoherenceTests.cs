using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Passthrough;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>Real kernels with the guest module: what is unchanged costs no request, what changed is seen at the next access.</summary>
public abstract class CoherenceTests(CoherentGuests guests, ITestOutputHelper output) : GuestTest(guests)
{
    private readonly CoherentGuests _guests = guests;
    private const int Files = 1000;
    private const int Rounds = 10;

    [Fact]
    public async Task What_is_unchanged_costs_no_request()
    {
        MakeFiles(Files);
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && for i in $(seq 20); do ln -s target$i link$i; mkdir dir$i; touch dir$i/file; done");
        // Twice: attributes that came while something else changed are not believed until they were asked for.
        await LookAroundAsync();
        await LookAroundAsync();
        var before = _guests.Server.CountRequests("b");
        await LookAroundAsync();
        var sent = Difference(_guests.Server.CountRequests("b"), before);
        output.WriteLine(
            $"{Rounds * Files} stats, {Rounds * Files} absent names, 20 readlinks, ls -lR of {Files + 60} names: {Describe(sent)}");
        Assert.Empty(sent);

        before = _guests.Server.CountRequests("b");
        await StatAsync(Rounds);
        await B.ExpectAsync($"guest-tool stat-absent {Folder} {Files} {Rounds}");
        await B.ExpectAsync($"cd {Folder} && for i in $(seq 20); do readlink link$i; done");
        Assert.Empty(Difference(_guests.Server.CountRequests("b"), before));

        async Task LookAroundAsync()
        {
            await StatAsync(Rounds);
            await B.ExpectAsync($"guest-tool stat-absent {Folder} {Files} {Rounds}");
            await B.ExpectAsync($"cd {Folder} && for i in $(seq 20); do readlink link$i; done");
            await B.ExpectAsync($"ls -lR {Folder} >/dev/null");
        }
    }

    [Fact]
    public async Task A_git_status_of_an_unchanged_repository_costs_no_request()
    {
        MakeFiles(Files);
        const string git = "git -c safe.directory=* -c user.name=a -c user.email=a@b";
        // Older than the index: git reads what may have changed in the second in which it wrote that.
        await HostShell.ExpectAsync($"cd {HostFolder} && touch -d '1 hour ago' * && {git} init -q && {git} add . && {git} commit -qm all");
        // Once to write down what the files look like in here, and once to read what that was.
        for (var i = 0; i < 3; i++)
            await B.ExpectAsync($"cd {Folder} && {git} status --short", LongCommand);
        // What is read for the first time changes the time of access, which is asked for next time.
        await B.ExpectAsync($"cd {Folder} && {git} --no-optional-locks status --short", LongCommand);
        var before = _guests.Server.CountRequests("b");
        Assert.Equal("", await B.ExpectAsync($"cd {Folder} && {git} --no-optional-locks status --short", LongCommand));
        var sent = Difference(_guests.Server.CountRequests("b"), before);
        output.WriteLine($"git status of {Files} unchanged files: {Describe(sent)}");
        Assert.Empty(sent);
    }

    [Fact]
    public async Task Changes_in_the_same_directory_cost_only_what_they_changed()
    {
        MakeFiles(Files);
        await StatAsync(2);
        await B.ExpectAsync($"guest-tool stat-absent {Folder} {Files} 2");
        await StatAsync(1);
        var before = _guests.Server.CountRequests("b");
        var work = await A.StartAsync($"guest-tool make-and-remove {Folder} 4");
        var stats = 0;
        while ((await A.RunAsync("pidof guest-tool")).ExitCode == 0)
        {
            await StatAsync(2);
            await B.ExpectAsync($"guest-tool stat-absent {Folder} {Files} 2");
            stats += 4 * Files;
        }

        var made = long.Parse((await work.CompletionAsync()).Text, CultureInfo.InvariantCulture);
        var sent = Difference(_guests.Server.CountRequests("b"), before);
        output.WriteLine($"{stats} stats while the other guest made and removed {made} files in the same directory: {Describe(sent)}");
        // The directory itself changes twice with each file, and who walks through it while it does, or after, asks for its mode
        // again. Of the names and files beside, only those are asked for that share a slot with one that changed.
        Assert.True(sent.GetValueOrDefault(FuseOpcode.GetAttr) <= 12 * made, Describe(sent));
        Assert.True(sent.Where(entry => entry.Key != FuseOpcode.GetAttr).Sum(entry => entry.Value) < stats / 100, Describe(sent));
        Assert.True(made > 50, $"only {made} files were made");
    }

    [Fact]
    public async Task What_another_guest_changes_is_seen_at_the_next_access()
    {
        var rounds = Soak.Count(test: 100, soak: 2000);
        using VirtioFsGuest user = _guests.Server.ConnectUserSpaceGuest();
        using VersionTableReader table = VersionTableReader.Open(_guests.Server.TableOf("user-space"));
        using CoherentCache cache = CoherentCache.Attach(user.Fuse, table);
        var folder = cache.Lookup(NodeId.Root, Path.GetFileName(HostFolder))!.Value;
        var file = cache.CreateFile(folder, "file");
        var stale = 0;
        for (var i = 1; i <= rounds; i++)
        {
            cache.SetAttributes(file, new() { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
            cache.CreateFile(folder, $"new{i}");
            if (i > 1)
                cache.Rename(folder, $"moved{i - 1}", folder, $"moved{i}");
            else
                cache.CreateFile(folder, "moved1");
            var seen = await B.ExpectAsync(
                $"cd {Folder}; stat -c %s file; [ -e new{i} ] && echo made; [ -e moved{i} ] && echo here; [ -e moved{i - 1} ] || echo " +
                "gone; "
                + $"[ -e new{i + 1} ] || echo absent; [ -e moved{i + 1} ] || echo absent; ls | wc -l");
            stale += seen.Split('\n').SequenceEqual([$"{i}", "made", "here", "gone", "absent", "absent", $"{i + 2}"]) ? 0 : 1;
        }

        output.WriteLine($"{rounds} rounds of changes by one guest, each looked at by a virtual machine at once: {stale} stale");
        Assert.Equal(0, stale);
    }

    [Fact]
    public async Task Cached_data_is_not_read_after_another_guest_has_replaced_it()
    {
        var rounds = Soak.Count(test: 60, soak: 1000);
        await A.ExpectAsync($"echo 000000 >{Folder}/file");
        var stale = 0;
        for (var i = 1; i <= rounds; i++)
        {
            // Of the same length, and soon after: neither size nor time need tell that something changed.
            var text = i.ToString("D6", CultureInfo.InvariantCulture);
            await A.ExpectAsync($"echo {text} | dd of={Folder}/file conv=notrunc 2>/dev/null");
            stale += await B.ExpectAsync($"cat {Folder}/file") == text ? 0 : 1;
        }

        output.WriteLine($"{rounds} overwrites by one guest, each read by the other at once: {stale} stale");
        Assert.Equal(0, stale);
    }

    [Fact]
    public async Task A_listing_is_current_while_others_of_the_same_directory_are_under_way()
    {
        var rounds = Soak.Count(test: 50, soak: 500);
        MakeFiles(200);
        BackgroundCommand[] others =
            [await B.StartAsync(ListUntilTold("one")), await B.StartAsync(ListUntilTold("two"))];
        var stale = 0;
        for (var i = 1; i <= rounds; i++)
        {
            await A.ExpectAsync($"touch {Folder}/new{i}");
            stale += await B.ExpectAsync($"ls {Folder} | wc -l") == $"{200 + i}" ? 0 : 1;
        }

        await B.ExpectAsync("touch /run/listed");
        var listings = 0;
        foreach (var other in others)
            listings += int.Parse((await other.CompletionAsync()).Text, CultureInfo.InvariantCulture);
        await B.ExpectAsync("rm /run/listed");
        output.WriteLine($"{rounds} listings, each after a change, beside {listings} others: {stale} stale");
        Assert.Equal(0, stale);
        Assert.True(listings > rounds, $"only {listings} other listings");

        string ListUntilTold(string name) =>
            $"n=0; while [ ! -e /run/listed ]; do ls {Folder} >/run/{name}; n=$((n + 1)); done; echo $n";
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_listing_shows_nothing_of_one_that_was_begun_before_a_change_and_ends_meanwhile(bool ownChange)
    {
        const int rounds = 5;
        MakeFiles(200);
        var wrong = 0;
        for (var i = 1; i <= rounds; i++)
        {
            await A.ExpectAsync($"touch {Folder}/other{i}");
            BackgroundCommand listings = await B.StartAsync($"guest-tool list-overlapping {Folder} {NamesOnHost().Count}");
            await listings.WaitForOutputAsync("begun");
            await (ownChange ? B : A).ExpectAsync(
                $"cd {Folder} && for n in $(seq 20); do touch new{i}.$n; done; for n in $(seq 9); do rm {i}$n; done");
            await listings.TellAsync();
            HashSet<string> listed = [.. (await listings.CompletionAsync()).Text.Split('\n')[1..]];
            listed.SymmetricExceptWith(NamesOnHost());
            wrong += listed.Count;
        }

        output.WriteLine($"{rounds} listings after {rounds * 29} changes, beside older ones: {wrong} names wrong");
        Assert.Equal(0, wrong);
        await B.ExpectAsync($"ls {Folder}; ls {Folder}");
        var before = _guests.Server.CountRequests("b");
        await B.ExpectAsync($"ls {Folder}");
        Assert.Empty(Difference(_guests.Server.CountRequests("b"), before));

        HashSet<string> NamesOnHost() => [.. Directory.EnumerateFileSystemEntries(HostFolder).Select(path => Path.GetFileName(path))];
    }

    [Fact]
    public async Task What_another_guest_appends_is_read_while_this_one_changes_attributes()
    {
        var rounds = Soak.Count(test: 50, soak: 500);
        using VirtioFsGuest user = _guests.Server.ConnectUserSpaceGuest();
        using VersionTableReader table = VersionTableReader.Open(_guests.Server.TableOf("user-space"));
        using CoherentCache cache = CoherentCache.Attach(user.Fuse, table);
        var folder = cache.Lookup(NodeId.Root, Path.GetFileName(HostFolder))!.Value;
        var file = cache.CreateFile(folder, "file");
        var changes = await B.StartAsync($"while [ ! -e /run/appended ]; do chmod 600 {Folder}/file; chmod 644 {Folder}/file; done");
        var missed = 0;
        for (var i = 0; i < rounds; i++)
        {
            cache.SetAttributes(file, new() { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i + 1 });
            missed += await B.ExpectAsync($"dd if={Folder}/file bs=1 skip={i} count=1 2>/dev/null | wc -c") == "1" ? 0 : 1;
        }

        await B.ExpectAsync("touch /run/appended");
        await changes.CompletionAsync();
        await B.ExpectAsync("rm /run/appended");
        output.WriteLine($"{rounds} bytes appended by another guest, read while attributes were changed here: {missed} not seen");
        Assert.Equal(0, missed);
    }

    [Fact]
    public async Task Own_writes_are_read_back_while_others_write_and_map_the_same_file()
    {
        var writes = Soak.Count(test: 80, soak: 1200);
        var seconds = writes / 5;
        await A.ExpectAsync($"dd if=/dev/zero of={Folder}/file bs=4096 count=3 2>/dev/null");
        BackgroundCommand[] writers =
        [
            await A.StartAsync($"guest-tool write-own {Folder}/file 0 {seconds}"),
            await A.StartAsync($"guest-tool write-own {Folder}/file 5000 {seconds}"),
            await B.StartAsync($"guest-tool write-own {Folder}/file 64 {seconds}"),
        ];
        BackgroundCommand store = await A.StartAsync($"guest-tool store-mapped {Folder}/file 2 {seconds}");
        foreach (var writer in writers)
        {
            var counts = (await writer.CompletionAsync(LongCommand)).Text.Split(' ').Select(
                text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
            output.WriteLine($"{counts[0]} own writes, {counts[1]} not read back");
            Assert.Equal(0, counts[1]);
            Assert.True(counts[0] > writes, $"only {counts[0]} writes in {seconds} s");
        }

        var stores = long.Parse((await store.CompletionAsync(LongCommand)).Text, CultureInfo.InvariantCulture);
        output.WriteLine($"{stores} stores to a mapping beside them");
        Assert.True(stores > writes / 4, $"only {stores} stores in {seconds} s");
        // Each kept what the others wrote beside it.
        Assert.Equal(await HostShell.ExpectAsync($"md5sum <{HostFolder}/file"), await A.ExpectAsync($"md5sum <{Folder}/file"));
        Assert.Equal(await HostShell.ExpectAsync($"md5sum <{HostFolder}/file"), await B.ExpectAsync($"md5sum <{Folder}/file"));
    }

    /// <summary>A disk of the host, with names of which several spellings are one.</summary>
    [Fact]
    public async Task Where_case_is_ignored_a_name_comes_and_goes_by_all_its_spellings()
    {
        string place = Path.Combine(HostFolder, "ci");
        Directory.CreateDirectory(place);
        using LoopFileSystem disk = LoopFileSystem.IgnoringCase(place);
        foreach (var actor in new[] { B, A })
        {
            await B.ExpectAsync($"cd {Folder}/ci && ! stat FOO && ls -l");
            await actor.ExpectAsync($"cd {Folder}/ci && echo text >foo");
            await B.ExpectAsync($"cd {Folder}/ci && ls -l && stat foo && stat FOO && cat FOO && stat Foo");
            await actor.ExpectAsync($"cd {Folder}/ci && mv fOO bar");
            await B.ExpectAsync($"cd {Folder}/ci && ! stat FOO && ! stat foo && stat BAR && stat Bar");
            await actor.ExpectAsync($"cd {Folder}/ci && rm baR");
            await B.ExpectAsync($"cd {Folder}/ci && ! stat BAR && ! stat Bar && ! stat bar");
        }
    }

    [Fact]
    public async Task What_the_host_mounts_over_a_directory_is_seen_and_what_it_covered_comes_back()
    {
        string place = Path.Combine(HostFolder, "place");
        Directory.CreateDirectory(place);
        const string covered = "! stat place/hello && [ -z \"$(ls -A place)\" ] && [ $(stat -c %d place) = $(stat -c %d .) ]";
        const string mounted = "stat place/hello && ls place | grep hello && [ $(stat -c %d place) != $(stat -c %d .) ]";
        await B.ExpectAsync($"cd {Folder} && {covered}");
        using LoopFileSystem disk = new("mkfs.ext4 -q -F", place);
        File.WriteAllText(Path.Combine(place, "hello"), "text");
        for (var round = 0; round < 2; round++)
        {
            await ExpectSoonAsync(mounted);
            Assert.True(SpinWait.SpinUntil(disk.TryUnmount, LongCommand));
            await ExpectSoonAsync(covered);
            disk.Mount();
        }

        await ExpectSoonAsync(mounted);

        // What the host mounts is noticed a moment later.
        Task ExpectSoonAsync(string condition) =>
            B.ExpectAsync($"cd {Folder} && for i in $(seq 300); do {condition} && break; sleep 0.1; done && {condition}", LongCommand);
    }

    [Fact]
    public async Task Mounting_again_and_again_leaves_nothing()
    {
        await B.ExpectAsync(
            $"umount {TwoGuests.MountPoint}; for i in $(seq 20); do mount -t coherency {SharingDaemon.Tag} {TwoGuests.MountPoint} && ls " +
            $"{TwoGuests.MountPoint} >/dev/null "
            + $"&& umount {TwoGuests.MountPoint} || exit 1; done");
        await B.ExpectAsync("rmmod coherency && insmod /modules/coherency.ko");
        await _guests.MountAsync(B);
        Assert.Equal("beating", await B.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/heartbeat"));
    }

    private void MakeFiles(int count)
    {
        for (var i = 0; i < count; i++)
            File.WriteAllText(Path.Combine(HostFolder, $"{i}"), "text");
    }

    private Task<string> StatAsync(int rounds) => B.ExpectAsync($"guest-tool stat-files {Folder} {Files} {rounds}", LongCommand);

    private static Dictionary<FuseOpcode, long> Difference(Dictionary<FuseOpcode, long> now, Dictionary<FuseOpcode, long> before) =>
        now.Select(entry => (entry.Key, Value: entry.Value - before.GetValueOrDefault(entry.Key)))
            .Where(entry => entry.Value > 0)
            .ToDictionary(entry => entry.Key, entry => entry.Value);

    private static string Describe(Dictionary<FuseOpcode, long> requests) =>
        requests.Count == 0 ? "0 requests" : string.Join(", ", requests.Select(entry => $"{entry.Value} {entry.Key}"));
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableCoherenceTests(CoherentStableGuests guests, ITestOutputHelper output) : CoherenceTests(guests, output);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieCoherenceTests(CoherentTrixieGuests guests, ITestOutputHelper output) : CoherenceTests(guests, output);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidCoherenceTests(CoherentSidGuests guests, ITestOutputHelper output) : CoherenceTests(guests, output);

[Collection(CoherentStableGuests.Collection)]
public sealed class CoherentStableSmokeTests(CoherentStableGuests guests) : SmokeTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class CoherentSidSmokeTests(CoherentSidGuests guests) : SmokeTests(guests);
