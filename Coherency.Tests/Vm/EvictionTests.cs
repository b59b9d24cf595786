using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// Attributes come with a name, and are on their way when the guest changes the inode itself and then forgets it, as it does when
/// memory is short. The reply brings an inode that nobody knows any more, and attributes from before the changes.
/// </summary>
public abstract class EvictionTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(FuseOpcode.ReadDirPlus, "ls d", "d", 1)]
    [InlineData(FuseOpcode.Lookup, "stat e/opened & stat e/closed & wait", "e", 2)]
    public async Task What_is_on_its_way_while_an_inode_is_changed_and_forgotten_is_not_believed(
        FuseOpcode opcode, string look, string directory, int requests)
    {
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && mkdir d e && for f in opened closed; do echo some >d/$f; ln d/$f e/$f; done; chmod 600 d/opened; chmod " +
            "644 d/closed");
        await A.ExpectAsync($"cd {Folder} && stat d d/opened d/closed e && stat d d/opened d/closed e");

        using HeldReplies replies = new(
            Enumerable.Repeat(await InodeOfAsync(directory), requests).Select(inode => Server.Gate.Hold("a", opcode, inode)));
        BackgroundCommand looking = await A.StartAsync($"cd {Folder}; {look}");
        await replies.WaitAsync();
        // Not by a shell's >>, which takes the directory's lock, as the listing has.
        await A.ExpectAsync(
            $"cd {Folder} && for f in opened closed; do guest-tool hold-open d/$f more </dev/null; done; chmod 644 d/opened; chmod 600 " +
            "d/closed");
        await ForgetAsync("d/opened", "d/closed");
        replies.Release();
        await looking.CompletionAsync();

        Assert.Equal("some\nmore", (await ReadAsUserAsync("opened")).Text);
        Assert.NotEqual(0, (await ReadAsUserAsync("closed")).ExitCode);
        AssertNone(
            (await A.ExpectAsync($"cd {Folder} && guest-tool compare-attributes d/* e/*")).Split(
                '\n', StringSplitOptions.RemoveEmptyEntries));

        Task<CommandResult> ReadAsUserAsync(string file) => A.RunAsync($"guest-tool as 1000 1000 1000 022 cat {Folder}/{directory}/{file}");
    }

    /// <summary>Drops caches until the guest has told the daemon that it knows these files no more.</summary>
    private async Task ForgetAsync(params string[] files)
    {
        List<IDisposable> interceptions = [];
        List<Task> forgotten = [];
        foreach (string file in files)
        {
            TaskCompletionSource isForgotten = new(TaskCreationOptions.RunContinuationsAsynchronously);
            forgotten.Add(isForgotten.Task);
            interceptions.Add(Server.Gate.Intercept("a", FuseOpcode.Forget, await InodeOfAsync(file), answer =>
            {
                isForgotten.TrySetResult();
                return answer;
            }));
        }

        using CancellationTokenSource deadline = new(Patience);
        while (!Task.WhenAll(forgotten).IsCompleted)
        {
            deadline.Token.ThrowIfCancellationRequested();
            await A.ExpectAsync("echo 2 >/proc/sys/vm/drop_caches");
        }

        interceptions.ForEach(interception => interception.Dispose());
    }
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableEvictionTests(CoherentStableGuests guests) : EvictionTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieEvictionTests(CoherentTrixieGuests guests) : EvictionTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidEvictionTests(CoherentSidGuests guests) : EvictionTests(guests);
