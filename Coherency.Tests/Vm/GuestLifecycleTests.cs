using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>What happens to one guest must not be noticed by the other.</summary>
[Collection(StableGuests.Collection)]
public sealed class GuestLifecycleTests(StableGuests guests) : GuestTest(guests)
{
    private static readonly string[] LockKinds = ["posix", "ofd", "flock"];

    private readonly StableGuests _guests = guests;

    [Fact]
    public async Task A_share_is_unmounted_only_when_nothing_uses_it_and_can_be_mounted_again()
    {
        await B.ExpectAsync($"echo text >{Folder}/file");
        var user = await B.StartAsync($"guest-tool hold-open {Folder}/file more");
        await user.WaitForOutputAsync("open");
        Assert.NotEqual(0, (await B.RunAsync($"umount {TwoGuests.MountPoint}")).ExitCode);

        await user.TellAsync();
        await user.CompletionAsync();
        await B.ExpectAsync($"umount {TwoGuests.MountPoint}");
        Assert.Equal("", await B.ExpectAsync($"ls {TwoGuests.MountPoint}"));
        Assert.Equal("textmore", await A.ExpectAsync($"tr -d '\\n' <{Folder}/file"));

        await _guests.MountAsync(B);
        Assert.Equal("textmore", await B.ExpectAsync($"tr -d '\\n' <{Folder}/file"));
    }

    [Fact]
    public async Task One_guest_works_on_while_the_other_reboots()
    {
        var work = await StartWorkAsync(A);
        await HoldAllLocksAsync(B);

        await B.RebootAsync();
        await _guests.MountAsync(B);

        await AssertLocksAreFreeAsync(A);
        await StopWorkAsync(A, work);
        Assert.Equal("done", await B.ExpectAsync($"cat {Folder}/stop"));
    }

    [Fact]
    public async Task One_guest_works_on_while_the_others_QEMU_is_killed_and_replaced()
    {
        var work = await StartWorkAsync(A);
        await HoldAllLocksAsync(B);

        await B.KillAsync();
        await AssertLocksAreFreeAsync(A);
        var replacement = await _guests.BootAsync("b");

        // A number may be read between the counter's truncation and its next write.
        await replacement.ExpectAsync($"until [ -s {Folder}/counter ]; do sleep 0.1; done");
        await StopWorkAsync(A, work);
        Assert.Equal("done", await replacement.ExpectAsync($"cat {Folder}/stop"));
    }

    // Counts in a file until the file `stop` appears; ends with an error if a number is not read back.
    private async Task<BackgroundCommand> StartWorkAsync(VirtualMachine guest)
    {
        var work = await guest.StartAsync(
            $"cd {Folder}; n=0; until [ -e stop ]; do n=$((n + 1)); echo $n >counter; "
            + "[ \"$(cat counter)\" = $n ] || exit 1; done; echo counted");
        await guest.ExpectAsync($"until [ -s {Folder}/counter ]; do sleep 0.1; done");
        return work;
    }

    private async Task StopWorkAsync(VirtualMachine guest, BackgroundCommand work)
    {
        var before = await guest.ExpectAsync($"cat {Folder}/counter");
        await guest.ExpectAsync($"while [ \"$(cat {Folder}/counter)\" = '{before}' ]; do sleep 0.1; done");
        await guest.ExpectAsync($"echo done >{Folder}/stop");
        var result = await work.CompletionAsync();
        Assert.Equal((0, "counted"), (result.ExitCode, result.Text));
    }

    private async Task HoldAllLocksAsync(VirtualMachine guest)
    {
        foreach (var kind in LockKinds)
        {
            await guest.ExpectAsync($"touch {Folder}/{kind}");
            var holder = await guest.StartAsync($"guest-tool lock {kind} exclusive try {Folder}/{kind}");
            await holder.WaitForOutputAsync("held");
            Assert.Equal("EAGAIN", (await A.RunAsync($"guest-tool lock {kind} exclusive try {Folder}/{kind}")).Text);
        }
    }

    // The daemon learns of a dead QEMU a moment after its death.
    private async Task AssertLocksAreFreeAsync(VirtualMachine guest)
    {
        foreach (var kind in LockKinds)
            await guest.ExpectAsync(
                $"until guest-tool lock {kind} exclusive try {Folder}/{kind}; do sleep 0.1; done", TimeSpan.FromSeconds(20));
    }
}
