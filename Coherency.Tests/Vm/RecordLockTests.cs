using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>Locks on parts of a file; whole-file locks of every kind are in <see cref="SmokeTests"/>.</summary>
[Collection(StableGuests.Collection)]
public sealed class RecordLockTests(StableGuests guests) : GuestTest(guests)
{
    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    public async Task Locks_on_different_ranges_do_not_meet(string kind)
    {
        await HoldFirst100BytesAsync(kind);
        Assert.Equal("EAGAIN", (await B.RunAsync($"guest-tool lock {kind} exclusive try {Folder}/lock 50 10")).Text);
        Assert.Equal("held", (await B.RunAsync($"guest-tool lock {kind} exclusive try {Folder}/lock 100 10")).Text);
    }

    [Theory]
    [InlineData("posix")]
    [InlineData("ofd")]
    public async Task A_test_in_the_other_guest_reports_the_lock_in_its_way(string kind)
    {
        await HoldFirst100BytesAsync(kind);
        Assert.Equal(
            "exclusive 0 100", await B.ExpectAsync($"guest-tool lock-test {kind} shared {Folder}/lock 10 10"));
        Assert.Equal("free", await B.ExpectAsync($"guest-tool lock-test {kind} exclusive {Folder}/lock 100 10"));
    }

    [Fact]
    public async Task A_lock_ends_with_the_process_that_held_it()
    {
        var holder = await HoldFirst100BytesAsync("posix");
        await A.ExpectAsync("killall -9 guest-tool");
        Assert.NotEqual(0, (await holder.CompletionAsync()).ExitCode);
        Assert.Equal("held", (await B.RunAsync($"guest-tool lock posix exclusive try {Folder}/lock")).Text);
    }

    [Fact]
    public async Task A_process_that_waits_for_a_lock_can_be_killed()
    {
        var holder = await HoldFirst100BytesAsync("posix");
        var waiter = await B.StartAsync($"guest-tool lock posix exclusive wait {Folder}/lock");
        await B.ExpectAsync($"sleep 0.5; ls {Folder}; killall -9 guest-tool");
        await holder.TellAsync();

        Assert.NotEqual(0, (await waiter.CompletionAsync()).ExitCode);
        await A.ExpectAsync(
            $"until guest-tool lock posix exclusive try {Folder}/lock; do sleep 0.1; done", TimeSpan.FromSeconds(20));
    }

    private async Task<BackgroundCommand> HoldFirst100BytesAsync(string kind)
    {
        await A.ExpectAsync($"touch {Folder}/lock");
        var holder = await A.StartAsync($"guest-tool lock {kind} exclusive try {Folder}/lock 0 100");
        await holder.WaitForOutputAsync("held");
        return holder;
    }
}
