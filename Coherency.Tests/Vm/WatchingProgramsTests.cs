using System.Diagnostics;
using System.Text.RegularExpressions;
using Coherency.Guest.VirtualMachines;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Vm;

/// <summary>Programs that people let watch their files react, in guest A, to what the host and guest B do to them.</summary>
[Trait("Category", "Slow")]
[Trait("Category", "Vm")]
public abstract class WatchingProgramsTests(ProgramGuests guests, ITestOutputHelper output) : GuestTest(guests)
{
    /// <summary>Emulated, beside others, and what starts compiles itself first.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(Soak.Count(10, 60));

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly ProgramGuests _guests = guests;

    public static TheoryData<string> Programs => [.. WatchingProgram.All.Select(program => program.Name)];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task It_reacts_to_what_the_host_and_another_guest_do(string name)
    {
        WatchingProgram program = WatchingProgram.Named(name);
        string old = Save("old");
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && for by in host guest; do for file in edit save gone; do {old} >$by-$file.js; done; done");
        await BindShareAsync();
        try
        {
            string folder = $"/mnt/share/{Path.GetFileName(HostFolder)}";
            BackgroundCommand command = await A.StartAsync(
                $"exec chroot {ProgramGuests.Root} /bin/sh -c \"export HOME=/root PATH=/usr/sbin:/usr/bin && cd {folder} && " +
                $"exec {program.Command}\"");
            await AwaitAsync(command, "start", 0, said => Regex.IsMatch(said, program.Ready, RegexOptions.Multiline));
            foreach (string by in (string[])["host", "guest"])
            {
                await ReactAsync(command, program, by);
            }
        }
        finally
        {
            await _guests.EndProgramsAsync();
        }
    }

    /// <summary>
    /// A program keeps a picture of a directory by what chokidar tells it. It is right when others have changed everything, also while
    /// its machine stood still and more happened than can be kept.
    /// </summary>
    [Fact]
    [Trait("Category", "Soak")]
    public async Task A_picture_is_right_after_a_storm()
    {
        int files = Soak.Count(400, 20_000);
        await HostShell.ExpectAsync($"cd {HostFolder} && python3 - <<'END'\n{MakeVersions(files)}\nEND");
        using QemuMonitor monitor = await A.OpenMonitorAsync();
        await WithPictureAsync("node /opt/watchers/watch-picture.mjs", "md5sum", async picture =>
        {
            await HostShell.ExpectAsync($"cd {HostFolder} && git checkout -q second");
            await AwaitPictureAsync(picture, "git checkout");

            await monitor.AskAsync("""{"execute": "stop"}""");
            await HostShell.ExpectAsync(
                $"cd {HostFolder} && git checkout -q first && python3 -c 'import os\nfor i in range(40000): os.rename(\"d0/0\", " +
                "\"d0/other\"); os.rename(\"d0/other\", \"d0/0\")'");
            await monitor.AskAsync("""{"execute": "cont"}""");
            await AwaitPictureAsync(picture, "git checkout while stopped");
            Assert.NotEqual("0", await A.ExpectAsync($"cat /sys/fs/coherency/{SharingDaemon.Tag}/events_lost"));

            await HostShell.ExpectAsync($"cd {HostFolder} && rm -rf d*");
            await AwaitPictureAsync(picture, "rm -rf");
        });
    }

    /// <summary>
    /// The same of watchman, of the directories in directories that npm makes, fills and renames. chokidar misses some of those files on a
    /// local file system, too.
    /// </summary>
    [Fact]
    [Trait("Category", "Network")]
    public async Task A_picture_is_right_after_npm()
    {
        const string Npm = "npm --no-audit --no-fund --ignore-scripts";
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && {Npm} init --yes >/dev/null && " +
            $"{Npm} install --package-lock-only --omit-lockfile-registry-resolved express@4");
        await WithPictureAsync("python3 /opt/watchers/watch-picture.py", "sha1sum", async picture =>
        {
            await HostShell.ExpectAsync($"cd {HostFolder} && {Npm} ci");
            await AwaitPictureAsync(picture, "npm ci");
            await HostShell.ExpectAsync($"cd {HostFolder} && {Npm} ci");
            await AwaitPictureAsync(picture, "npm ci in place of the other");
            await HostShell.ExpectAsync($"cd {HostFolder} && rm -rf node_modules");
            await AwaitPictureAsync(picture, "rm -rf");
        });
    }

    /// <summary>A program that prints the MD5 sum of the sums of all files for each line that it is told.</summary>
    /// <param name="Sum">The command by which the sum of a file is made.</param>
    private sealed record Picture(BackgroundCommand Program, string Sum);

    private async Task WithPictureAsync(string command, string sum, Func<Picture, Task> change)
    {
        await BindShareAsync();
        try
        {
            BackgroundCommand program = await A.StartAsync(
                $"exec chroot {ProgramGuests.Root} /bin/sh -c \"cd /mnt/share/{Path.GetFileName(HostFolder)} && exec {command}\"");
            Picture picture = new(program, sum);
            await AwaitAsync(program, "start", 0, said => said.Contains("ready", StringComparison.Ordinal));
            await AwaitPictureAsync(picture, "as it was");
            await change(picture);
        }
        finally
        {
            await _guests.EndProgramsAsync();
        }
    }

    private Task<string> BindShareAsync() => A.ExpectAsync(
        $"mountpoint -q {ProgramGuests.Root}/mnt/share || mount --bind {TwoGuests.MountPoint} {ProgramGuests.Root}/mnt/share");

    /// <summary>Of ten files some stay, some are changed, some go and some come, also in new directories.</summary>
    private static string MakeVersions(int files) => $$"""
        import os, subprocess
        def write(first, step, text):
            for i in range(first, {{files}}, step):
                os.makedirs(f"d{i // 100}", exist_ok=True)
                open(f"d{i // 100}/{i}", "w").write(f"{text} {i}")
        def commit(name):
            user = "-c user.name=a -c user.email=a"
            subprocess.check_call(f"git add -A && git {user} commit -qm {name} && git tag {name}", shell=True)
        subprocess.check_call("git init -q .", shell=True)
        write(0, 1, "first")
        subprocess.check_call("rm -rf d1 d*/*[3]", shell=True)
        commit("first")
        write(1, 4, "second")
        write(3, 10, "second")
        [write(i, {{files}}, "second") for i in range(100, 200)]
        subprocess.check_call("rm d*/*[2]", shell=True)
        commit("second")
        subprocess.check_call("git checkout -q first", shell=True)
        """;

    private async Task AwaitPictureAsync(Picture picture, string what)
    {
        string expected = "";
        string last = "";
        await AwaitAsync(
            picture.Program, what, 0,
            said => (last = said.Split('\n').Last(line => line.Length > 0)).Contains(expected, StringComparison.Ordinal),
            async () =>
            {
                // npm has been seen to end before its files were as they stay.
                expected = await HostShell.ExpectAsync(
                    $"cd {HostFolder} && find . -path '*.git*' -prune -o -type f -exec {picture.Sum} {{}} + | LC_ALL=C sort | md5sum | " +
                    "cut -c1-32");
                await picture.Program.TellAsync();
            });
        output.WriteLine($"{what}: {last}");
    }

    private static string Save(string content) => $"echo \"export default '{content}';\"";

    private async Task ReactAsync(BackgroundCommand command, WatchingProgram program, string by)
    {
        await StepAsync($"{by}: edit", $"{Save($"edited by {by}")} >{by}-edit.js",
            said => program.HasReacted(said, $"{by}-edit.js", $"edited by {by}"));
        await StepAsync($"{by}: save by rename", $"{Save($"saved by {by}")} >.{by}-new && mv .{by}-new {by}-save.js",
            said => program.HasReacted(said, $"{by}-save.js", $"saved by {by}"));
        await StepAsync($"{by}: delete", $"rm {by}-gone.js", said => program.HasNoticedEnd(said, $"{by}-gone.js"));

        string file = $"{by}-new/file.js";
        await StepAsync($"{by}: new directory", $"mkdir {by}-new && {Save($"made by {by}")} >{file}",
            said => program.HasReacted(said, program.LooksInside ? file : $"{by}-new", $"made by {by}"));
        // When a new directory is watched no program says.
        int round = 0;
        await StepAsync($"{by}: edit in it", "true", said => program.HasReacted(said, file, $"changed by {by}"),
            () => ChangeAsync(by, $"{Save($"changed by {by} {++round}")} >{file}"));

        async Task StepAsync(string what, string change, Predicate<string> isSeen, Func<Task>? again = null)
        {
            int before = program.TellsState ? 0 : (await command.OutputAsync()).Length;
            await ChangeAsync(by, change);
            await AwaitAsync(command, what, before, isSeen, again);
        }
    }

    private Task<string> ChangeAsync(string by, string change) => by == "host"
        ? HostShell.ExpectAsync($"cd {HostFolder} && {change}")
        : B.ExpectAsync($"cd {Folder} && {change}", LongCommand);

    private async Task AwaitAsync(BackgroundCommand command, string what, int before, Predicate<string> isSeen, Func<Task>? again = null)
    {
        Stopwatch watch = Stopwatch.StartNew();
        string said = "";
        while (watch.Elapsed < Patience)
        {
            await (again?.Invoke() ?? Task.CompletedTask);
            said = (await command.OutputAsync())[before..];
            if (isSeen(said))
            {
                output.WriteLine($"{what}: {watch.Elapsed.TotalSeconds:F1} s");
                return;
            }

            Assert.False(await command.HasEndedAsync(), $"{what}: it has ended. It said:\n{said}");
            await Task.Delay(again is null ? Interval : 5 * Interval);
        }

        string tasks = await A.ExpectAsync(
            $"for p in /proc/[0-9]*; do [ \"$(readlink $p/root)\" != {ProgramGuests.Root} ] || " +
            "for t in $p/task/*; do echo $t $(cat $t/comm $t/wchan $t/syscall); done; done");
        Assert.Fail($"{what}: no reaction within {Patience.TotalMinutes} minutes. It said:\n{said}\nIt is\n{tasks}");
    }
}

[Trait("Category", "Soak")]
[Collection(StableProgramGuests.Name)]
public sealed class StableWatchingProgramsTests(StableProgramGuests guests, ITestOutputHelper output)
    : WatchingProgramsTests(guests, output);

[Trait("Category", "Soak")]
[Collection(TrixieProgramGuests.Name)]
public sealed class TrixieWatchingProgramsTests(TrixieProgramGuests guests, ITestOutputHelper output)
    : WatchingProgramsTests(guests, output);

[Collection(SidProgramGuests.Name)]
public sealed class SidWatchingProgramsTests(SidProgramGuests guests, ITestOutputHelper output) : WatchingProgramsTests(guests, output);
