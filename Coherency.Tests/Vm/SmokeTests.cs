using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>What must hold with every QEMU and kernel.</summary>
public abstract class SmokeTests(TwoGuests guests) : GuestTest(guests)
{
    [Fact]
    public async Task The_share_is_mounted_and_reports_the_host_file_system()
    {
        var blocks = await HostShell.ExpectAsync($"stat -f -c '%b %S' {HostFolder}");
        Assert.Equal(blocks, await A.ExpectAsync($"stat -f -c '%b %S' {Folder}"));
        Assert.Contains(
            $"{SharingDaemon.Tag} {TwoGuests.MountPoint} virtiofs ", await B.ExpectAsync("cat /proc/mounts"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tree_of_2000_files_is_the_same_after_a_copy_out_and_in()
    {
        SampleTree.Create(Path.Combine(HostFolder, "original"));
        var expected = await HostShell.ExpectAsync(SampleTree.Fingerprint($"{HostFolder}/original"));

        await A.ExpectAsync($"cp -a {Folder}/original /tmp/tree", LongCommand);
        Assert.Equal(expected, await A.ExpectAsync(SampleTree.Fingerprint("/tmp/tree"), LongCommand));

        await A.ExpectAsync($"cp -a /tmp/tree {Folder}/copy && rm -rf /tmp/tree", LongCommand);
        Assert.Equal(expected, await ExpectSameEverywhereAsync(SampleTree.Fingerprint("copy")));

        await B.ExpectAsync($"rm -rf {Folder}/copy", LongCommand);
        Assert.Equal("original", await ExpectSameEverywhereAsync("ls"));
    }

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task A_lock_held_in_one_guest_excludes_the_other(string kind)
    {
        var holder = await HoldLockAsync(A, kind, "exclusive");
        var refused = await TryLockAsync(B, kind, "exclusive");
        Assert.Equal("EAGAIN", refused.Text);

        await holder.TellAsync();
        Assert.Equal(0, (await holder.CompletionAsync()).ExitCode);
        Assert.Equal("held", (await TryLockAsync(B, kind, "exclusive")).Text);
    }

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task A_blocking_lock_is_granted_when_the_other_guest_releases_it(string kind)
    {
        var holder = await HoldLockAsync(A, kind, "exclusive");
        var waiter = await B.StartAsync(LockCommand(kind, "exclusive", "wait"));

        // The waiting request must hold up neither its own guest's other requests nor its own outcome.
        for (var i = 0; i < 10; i++)
            await B.ExpectAsync($"echo {i} >{Folder}/other && cat {Folder}/other");
        Assert.Equal("", await waiter.OutputAsync());

        await holder.TellAsync();
        await waiter.WaitForOutputAsync("held");
        await waiter.TellAsync();
        Assert.Equal(0, (await waiter.CompletionAsync()).ExitCode);
    }

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    [InlineData("flock")]
    public async Task Shared_locks_of_both_guests_exclude_only_an_exclusive_one(string kind)
    {
        var first = await HoldLockAsync(A, kind, "shared");
        var second = await HoldLockAsync(B, kind, "shared");
        Assert.Equal("EAGAIN", (await TryLockAsync(A, kind, "exclusive")).Text);
        Assert.Equal("EAGAIN", (await TryLockAsync(B, kind, "exclusive")).Text);
        await first.TellAsync();
        await second.TellAsync();
    }

    [Fact]
    public async Task Another_user_creates_files_as_himself_in_a_directory_of_his_supplementary_group()
    {
        await HostShell.ExpectAsync($"chown 0:3000 {HostFolder} && chmod 2775 {HostFolder}");
        await A.ExpectAsync(
            $"cd {Folder} && guest-tool as 1000 1000 3000 027 sh -c "
            + "'echo text >file && mkdir directory && mkfifo fifo && ln -s file symlink'");

        var owned = await ExpectSameEverywhereAsync("stat -c '%n %a %u %g' file directory fifo && stat -c %u:%g symlink");
        Assert.Equal("file 640 1000 3000\ndirectory 2750 1000 3000\nfifo 640 1000 3000\n1000:3000", owned);
    }

    private string LockCommand(string kind, string mode, string patience) =>
        $"guest-tool lock {kind} {mode} {patience} {Folder}/lock";

    private async Task<BackgroundCommand> HoldLockAsync(VirtualMachine guest, string kind, string mode)
    {
        await guest.ExpectAsync($"touch {Folder}/lock");
        var holder = await guest.StartAsync(LockCommand(kind, mode, "try"));
        await holder.WaitForOutputAsync("held");
        return holder;
    }

    /// <summary>Takes the lock and lets it go at once, or prints why not.</summary>
    private Task<CommandResult> TryLockAsync(VirtualMachine guest, string kind, string mode) =>
        guest.RunAsync(LockCommand(kind, mode, "try"));
}

[Collection(StableGuests.Collection)]
public sealed class StableSmokeTests(StableGuests guests) : SmokeTests(guests);

[Collection(SidGuests.Collection)]
public sealed class SidSmokeTests(SidGuests guests) : SmokeTests(guests);

[Collection(SidGenericDeviceGuests.Collection)]
public sealed class SidGenericDeviceSmokeTests(SidGenericDeviceGuests guests) : SmokeTests(guests);
