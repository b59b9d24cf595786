using Coherency.Core.Fuse;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>What guests do with files without asking for the opens, and what it costs: requests are counted exactly.</summary>
public abstract class SparedOpensTests(CoherentGuests guests, ITestOutputHelper output) : GuestTest(guests)
{
    private const int Directories = 10;
    private const int FilesOfEach = 20;

    /// <summary>Files that are open for half a second are reported, at most this often.</summary>
    private static readonly TimeSpan ReportedAfter = TimeSpan.FromSeconds(2);

    private readonly CoherentGuests _guests = guests;

    /// <summary>Until the first file was opened, the guest's kernel does not know that it need not ask.</summary>
    private async Task<string> PrepareAsync(string command)
    {
        await HostShell.ExpectAsync(command);
        Assert.Equal("spared", await B.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/opens"));
        return await B.ExpectAsync($"touch {Folder}/known && cat {Folder}/known", LongCommand);
    }

    private string MakeTree =>
        $"cd {HostFolder} && for d in $(seq {Directories}); do mkdir $d; for f in $(seq {FilesOfEach}); do echo $d/$f >$d/$f.c; echo " +
        ">$d/$f.o; done; done; "
        + "find . -type f -exec touch -d '1 hour ago' {} + && find . -name '*.o' -exec touch -d '50 minutes ago' {} +";

    [Fact]
    public async Task Looking_at_an_unchanged_tree_costs_no_request()
    {
        await PrepareAsync($"{MakeTree} && printf 'all: $(patsubst %%.c,%%.o,$(wildcard */*.c))\\n%%.o: %%.c\\n\\tfalse\\n' >Makefile");
        foreach (string command in new[] { "find . -exec ls -ld {} +", "ls -lR", "cat */*.c", "grep -r nothing . || true", "make", "du -s",
            "md5sum */*", "tar c ." })
        {
            string look = $"cd {Folder} && ({command}) >/dev/null";
            // What is read for the first time changes the time of access, which is asked for next time.
            for (int i = 0; i < 3; i++)
                await B.ExpectAsync(look, LongCommand);
            Dictionary<FuseOpcode, long> sent = await CountAsync(() => B.ExpectAsync(look, LongCommand));
            output.WriteLine($"{command}: {Describe(sent)}");
            Assert.Empty(sent);
        }
    }

    [Fact]
    public async Task A_new_file_costs_the_request_that_makes_it_and_the_one_that_writes_it()
    {
        const int files = 100;
        await PrepareAsync($"mkdir {HostFolder}/new {HostFolder}/shell");
        Dictionary<FuseOpcode, long> sent = await CountAsync(
            () => B.ExpectAsync($"guest-tool make-small {Folder}/new {files}", LongCommand));
        output.WriteLine($"{files} new files: {Describe(sent)}");
        Assert.Equal(files, sent[FuseOpcode.MkNod]);
        Assert.Equal(files, sent[FuseOpcode.Write]);
        AssertOnlyTheWayThere(sent, FuseOpcode.MkNod, FuseOpcode.Write);

        sent = await CountAsync(() => B.ExpectAsync($"cd {Folder}/shell && for i in $(seq {files}); do echo line >$i; done", LongCommand));
        output.WriteLine($"{files} new files of the shell's: {Describe(sent)}");
        Assert.Equal(files, sent[FuseOpcode.MkNod]);
        Assert.Equal(files, sent[FuseOpcode.Write]);
        AssertOnlyTheWayThere(sent, FuseOpcode.MkNod, FuseOpcode.Write);

        sent = await CountAsync(() => B.ExpectAsync($"cd {Folder} && mkdir made && ln -s target symlink && mkfifo fifo", LongCommand));
        output.WriteLine($"a directory, a symlink, a fifo: {Describe(sent)}");
        Assert.Equal(1, sent[FuseOpcode.MkDir]);
        Assert.Equal(1, sent[FuseOpcode.Symlink]);
        Assert.Equal($"{files}\n{files}", await HostShell.ExpectAsync($"cat {HostFolder}/new/* | wc -l; cat {HostFolder}/shell/* | wc -l"));
    }

    [Fact]
    public async Task What_another_guest_has_made_meanwhile_is_neither_made_again_nor_overlooked()
    {
        await A.ExpectAsync($"cd {Folder} && echo theirs >made && ln -s made link && mkdir directory");
        Assert.Equal("EEXIST", (await B.RunAsync($"guest-tool open-flags {Folder}/made write create exclusive")).Text);
        Assert.Equal("opened", await B.ExpectAsync($"guest-tool open-flags {Folder}/made write create"));
        await A.ExpectAsync($"cd {Folder} && echo theirs >second && ln -s second second-link");
        Assert.Equal("opened", await B.ExpectAsync($"guest-tool open-flags {Folder}/second-link write create"));
        Assert.Equal("EEXIST", (await B.RunAsync($"guest-tool open-flags {Folder}/link create exclusive")).Text);
        Assert.Equal("EISDIR", (await B.RunAsync($"guest-tool open-flags {Folder}/directory write create")).Text);
        Assert.NotEqual(0, (await B.RunAsync($"mkdir {Folder}/directory")).ExitCode);
        Assert.NotEqual(0, (await B.RunAsync($"ln -s x {Folder}/link")).ExitCode);
        await B.ExpectAsync($"mkdir -p {Folder}/directory/deeper");
        Assert.Equal("theirs\ntheirs", await B.ExpectAsync($"cat {Folder}/made {Folder}/second"));
        // Whoever may not make a name is told that it is there, as everywhere.
        await A.ExpectAsync($"chmod 755 {Folder} && mkdir {Folder}/there");
        Assert.Contains(
            "File exists",
            (await B.RunAsync($"guest-tool as 1000 1000 1000 022 mkdir {Folder}/there 2>&1")).Text,
            StringComparison.Ordinal);
        Assert.Equal(
            "EACCES", (await B.RunAsync($"guest-tool as 1000 1000 1000 022 guest-tool open-flags {Folder}/absent write create")).Text);
        Assert.Equal(
            "EEXIST", (await B.RunAsync($"guest-tool as 1000 1000 1000 022 guest-tool open-flags {Folder}/made create exclusive")).Text);
    }

    [Fact]
    public async Task Truncation_by_an_open_is_seen_at_once_by_both_guests()
    {
        await PrepareAsync($"seq 10000 >{HostFolder}/file");
        string size = $"stat -c %s {Folder}/file && cat {Folder}/file | wc -c";
        for (int i = 0; i < 5; i++)
        {
            await A.ExpectAsync($"seq {1000 + i} >{Folder}/file; cat {Folder}/file >/dev/null");
            await B.ExpectAsync($"cat {Folder}/file >/dev/null; guest-tool open-flags {Folder}/file write truncate");
            Assert.Equal("0\n0", await A.ExpectAsync(size));
            Assert.Equal("0\n0", await B.ExpectAsync(size));
            Assert.Equal("0", await HostShell.ExpectAsync($"stat -c %s {HostFolder}/file"));
        }

        // A reader may truncate what he may write.
        await A.ExpectAsync($"echo text >{Folder}/file");
        await B.ExpectAsync($"guest-tool open-flags {Folder}/file read truncate");
        Assert.Equal("0\n0", await A.ExpectAsync(size));
    }

    [Fact]
    public async Task A_truncation_that_fails_loses_nothing()
    {
        await PrepareAsync($"seq 1000 >{HostFolder}/file && cp {HostFolder}/file {HostFolder}/fixed && chmod 644 {HostFolder}/*");
        string sum = await HostShell.ExpectAsync($"md5sum <{HostFolder}/file");
        Assert.Equal(sum, await B.ExpectAsync($"md5sum <{Folder}/file"));
        Assert.Equal(
            "EACCES", (await B.RunAsync($"guest-tool as 1000 1000 1000 022 guest-tool open-flags {Folder}/file write truncate")).Text);
        Assert.Equal(sum, await B.ExpectAsync($"md5sum <{Folder}/file"));

        // The guest does not know of this attribute, so that only the daemon can refuse.
        await B.ExpectAsync($"cat {Folder}/fixed >/dev/null");
        await HostShell.ExpectAsync($"chattr +i {HostFolder}/fixed");
        try
        {
            Assert.Equal("EPERM", (await B.RunAsync($"guest-tool open-flags {Folder}/fixed write truncate")).Text);
            Assert.Equal("3893", await B.ExpectAsync($"stat -c %s {Folder}/fixed"));
            Assert.Equal(sum, await B.ExpectAsync($"md5sum <{Folder}/fixed"));
        }
        finally
        {
            await HostShell.ExpectAsync($"chattr -i {HostFolder}/fixed");
        }
    }

    [Fact]
    public async Task Both_guests_append_without_overwriting_each_other()
    {
        const int lines = 40;
        await PrepareAsync($"touch {HostFolder}/log");
        BackgroundCommand[] writers =
        [
            await A.StartAsync($"for i in $(seq {lines}); do echo from a $i >>{Folder}/log; done"),
            await B.StartAsync($"for i in $(seq {lines}); do echo from b $i >>{Folder}/log; done"),
        ];
        foreach (BackgroundCommand writer in writers)
            Assert.Equal(0, (await writer.CompletionAsync(LongCommand)).ExitCode);
        Assert.Equal($"{2 * lines}", await HostShell.ExpectAsync($"grep -c '^from [ab] [0-9]*$' {HostFolder}/log"));
        Assert.Equal($"{2 * lines}", await A.ExpectAsync($"sort -u {Folder}/log | wc -l"));
    }

    /// <summary>
    /// A request cannot be taken back, so the daemon ends a long wait, and the guest goes on with it unless there is a signal.
    /// </summary>
    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task A_process_that_waits_for_a_lock_can_be_killed_and_one_that_is_not_gets_it(string kind)
    {
        await PrepareAsync($"touch {HostFolder}/lock");
        string wait = $"guest-tool lock {kind} exclusive wait {Folder}/lock";
        BackgroundCommand holder = await A.StartAsync($"guest-tool lock {kind} exclusive try {Folder}/lock");
        await holder.WaitForOutputAsync("held");
        BackgroundCommand waiter = await B.StartAsync(wait);
        await B.ExpectAsync($"timeout -s KILL 1 {wait}; [ $? = 137 ]");
        await holder.TellAsync();
        await waiter.WaitForOutputAsync("held");
        await waiter.TellAsync();
        await Task.WhenAll(holder.CompletionAsync(), waiter.CompletionAsync());
    }

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task A_lock_ends_when_the_file_is_closed_and_when_its_holder_is_killed(string kind)
    {
        await PrepareAsync($"touch {HostFolder}/lock");
        string take = $"guest-tool lock {kind} exclusive try {Folder}/lock";
        BackgroundCommand holder = await A.StartAsync($"guest-tool lock-and-close {kind} exclusive try {Folder}/lock");
        await holder.WaitForOutputAsync("held");
        Assert.Equal("EAGAIN", (await B.RunAsync(take)).Text);
        await holder.TellAsync();
        await holder.WaitForOutputAsync("closed");
        Assert.Equal("held", (await B.RunAsync(take)).Text);
        await holder.TellAsync();

        BackgroundCommand killed = await A.StartAsync(take);
        await killed.WaitForOutputAsync("held");
        await A.ExpectAsync("killall -9 guest-tool");
        await killed.CompletionAsync();
        Assert.Equal("held", (await B.RunAsync(take)).Text);
    }

    [Fact]
    public async Task A_file_stays_usable_when_its_name_is_removed_here_in_the_other_guest_or_on_the_host()
    {
        await PrepareAsync($"cd {HostFolder} && for i in here there host; do echo old >$i; done");
        Dictionary<string, BackgroundCommand> holders = [];
        foreach (string name in new[] { "here", "there", "host" })
        {
            holders[name] = await B.StartAsync($"guest-tool hold-open {Folder}/{name} new");
            await holders[name].WaitForOutputAsync("open");
        }

        await B.ExpectAsync($"rm {Folder}/here");
        await A.ExpectAsync($"rm {Folder}/there");
        await Task.Delay(ReportedAfter);
        await HostShell.ExpectAsync($"rm {HostFolder}/host");
        foreach ((string name, BackgroundCommand holder) in holders)
        {
            await holder.TellAsync();
            CommandResult result = await holder.CompletionAsync();
            Assert.True(result.Text.EndsWith("links 0 content old\nnew", StringComparison.Ordinal), $"{name}: {result.Text}");
        }
    }

    [Fact]
    public async Task A_program_that_runs_outlives_its_file_on_the_host()
    {
        await PrepareAsync(
            $"cd {HostFolder} && for name in replaced removed; do for i in a b c d; do printf %4096s $i | tr ' ' $i; done >$name; done");
        BackgroundCommand replaced = await B.StartAsync($"guest-tool hold-mapped {Folder}/replaced");
        BackgroundCommand removed = await B.StartAsync($"guest-tool hold-mapped {Folder}/removed");
        await replaced.WaitForOutputAsync("mapped");
        await removed.WaitForOutputAsync("mapped");
        await Task.Delay(ReportedAfter);
        await HostShell.ExpectAsync($"cd {HostFolder} && echo other >other && mv other replaced && rm removed");
        await B.ExpectAsync("echo 3 >/proc/sys/vm/drop_caches");
        await replaced.TellAsync();
        await removed.TellAsync();
        Assert.Equal("mapped\nread abcd", (await replaced.CompletionAsync()).Text);
        Assert.Equal("mapped\nread abcd", (await removed.CompletionAsync()).Text);
        Assert.Equal("other", await B.ExpectAsync($"cat {Folder}/replaced"));
    }

    /// <summary>What the VFS has asked for on the way to where the work is done, not with each file.</summary>
    private static void AssertOnlyTheWayThere(Dictionary<FuseOpcode, long> sent, params FuseOpcode[] work) =>
        Assert.True(sent.Where(entry => !work.Contains(entry.Key)).Sum(entry => entry.Value) <= 4, Describe(sent));

    private async Task<Dictionary<FuseOpcode, long>> CountAsync(Func<Task> work)
    {
        Dictionary<FuseOpcode, long> before = _guests.Server.CountRequests("b");
        await work();
        return _guests.Server.CountRequests("b")
            .Select(entry => (entry.Key, Value: entry.Value - before.GetValueOrDefault(entry.Key)))
            .Where(entry => entry.Value > 0)
            .ToDictionary(entry => entry.Key, entry => entry.Value);
    }

    private static string Describe(Dictionary<FuseOpcode, long> requests) =>
        requests.Count == 0 ? "0 requests" : string.Join(", ", requests.Select(entry => $"{entry.Value} {entry.Key}"));
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableSparedOpensTests(CoherentStableGuests guests, ITestOutputHelper output) : SparedOpensTests(guests, output);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieSparedOpensTests(CoherentTrixieGuests guests, ITestOutputHelper output) : SparedOpensTests(guests, output);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidSparedOpensTests(CoherentSidGuests guests, ITestOutputHelper output) : SparedOpensTests(guests, output);
