using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// A directory that is mounted a second time within the share: its inodes are reached in two ways, of which the one that is seen
/// second has node ids that no slot governs.
/// </summary>
public abstract class OtherWayTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    private static readonly string[] Looks = ["read", "sendfile", "splice", "map-fault", "map-read", "map-fsync"];

    [Theory]
    [InlineData("original", "bound")]
    [InlineData("bound", "original")]
    public async Task What_another_guest_changes_is_seen_on_both_ways_whichever_was_seen_first(string first, string second)
    {
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && mkdir original bound && printf '#!/bin/sh\\necho old\\n' >original/script && chmod 755 original/script " +
            "&& mount --bind original bound");
        try
        {
            foreach (string look in Looks)
            {
                File.WriteAllText(Path.Combine(HostFolder, "original", look), "old");
                HideTime(look);
            }

            HideTime("script");
            await A.ExpectAsync($"cd {Folder} && ls -l {first} && ls -l {second} && cat {first}/* {second}/*");
            Assert.Equal("old\nold", await A.ExpectAsync($"cd {Folder} && {first}/script && {second}/script"));
            BackgroundCommand looks = await A.StartAsync(
                $"cd {Folder} && guest-tool look-twice " +
                $"{string.Join(' ', Looks.Select(look => $"{look} {first}/{look} {look} {second}/{look}"))}");
            await looks.WaitForOutputAsync("looked");

            await B.ExpectAsync(
                $"cd {Folder}/{first} && for f in *; do [ $f = script ] || printf new | dd of=$f conv=notrunc 2>/dev/null; done; printf " +
                "new | dd of=script bs=1 seek=15 conv=notrunc 2>/dev/null; chmod 700 .");
            foreach (string look in Looks.Append("script"))
            {
                HideTime(look);
            }

            await looks.TellAsync();
            string[] expected = [.. Looks.SelectMany(look => new[] { $"{look} {first}/{look} o n", $"{look} {second}/{look} o n" })];
            string[] seen = [.. (await looks.CompletionAsync()).Text.Split('\n').Skip(1)];
            AssertNone(seen.Except(expected));
            Assert.Equal(expected.Length, seen.Length);
            Assert.Equal("new\nnew", await A.ExpectAsync($"cd {Folder} && {first}/script && {second}/script"));
            foreach (string way in new[] { first, second })
            {
                Assert.NotEqual(0, (await A.RunAsync($"cd {Folder} && guest-tool as 1000 1000 1000 022 cat {way}/read")).ExitCode);
            }
        }
        finally
        {
            await HostShell.ExpectAsync($"umount -l {HostFolder}/bound");
        }
    }

    /// <summary>What a submount has of its own must not be taken for one of the files whose memory it has come to have.</summary>
    [Fact]
    public async Task What_is_mounted_comes_and_goes_after_many_files_were_forgotten()
    {
        await HostShell.ExpectAsync($"cd {HostFolder} && mkdir many bound && cd many && seq 2000 | xargs touch");
        for (int i = 0; i < 3; i++)
        {
            await A.ExpectAsync($"ls -l {Folder}/many >/dev/null && echo 3 >/proc/sys/vm/drop_caches");
            await HostShell.ExpectAsync($"cd {HostFolder} && mount --bind many bound");
            Assert.Equal("2000", await A.ExpectAsync($"ls {Folder}/bound | wc -l"));
            await A.ExpectAsync($"umount {Folder}/bound");
            await HostShell.ExpectAsync($"umount -l {HostFolder}/bound");
            A.AssertKernelIsSound();
        }
    }

    /// <summary>
    /// fuse drops pages of itself when the time of change is another one. Set by the daemon's process, it is no change of the host.
    /// </summary>
    private void HideTime(string file) => File.SetLastWriteTimeUtc(Path.Combine(HostFolder, "original", file), DateTime.UnixEpoch);
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableOtherWayTests(CoherentStableGuests guests) : OtherWayTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieOtherWayTests(CoherentTrixieGuests guests) : OtherWayTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidOtherWayTests(CoherentSidGuests guests) : OtherWayTests(guests);
