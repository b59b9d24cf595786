using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>Files that are mapped while another guest changes them.</summary>
public abstract class MappingTests(CoherentGuests guests) : HeldReplyTest(guests)
{
    /// <summary>What a shell says of a command that SIGBUS has ended.</summary>
    private const int EndedBySigbus = 128 + 7;

    /// <summary>Far enough from the first not to be mapped along with it.</summary>
    private const int OtherPage = 32;
    private const int Pages = 40;

    /// <summary>A load faults, as the page is not mapped yet; the first store to a page that is mapped for reading does, too.</summary>
    [Theory]
    [InlineData(OtherPage, "load")]
    [InlineData(OtherPage, "store")]
    [InlineData(0, "store")]
    public async Task A_fault_whose_question_fails_is_an_error_not_an_old_page(int page, string access)
    {
        await MakeFileAsync();
        BackgroundCommand mapping = await A.StartAsync($"guest-tool touch-mapped {Folder}/file {page} {access}");
        await mapping.WaitForOutputAsync("mapped");
        await OverwriteAsync(page);
        using (Server.Gate.Intercept("a", FuseOpcode.GetAttr, await InodeOfAsync("file"), _ => Errno.EIO))
        {
            await mapping.TellAsync();
            CommandResult ended = await mapping.CompletionAsync();
            Assert.True(ended.ExitCode == EndedBySigbus, $"ended with {ended.ExitCode}: {ended.Output}");
        }

        Assert.Equal("new", await A.ExpectAsync($"dd if={Folder}/file bs=4096 skip={page} count=1 2>/dev/null | head -c 3"));
        Assert.Equal("new", await HostShell.ExpectAsync($"dd if={HostFolder}/file bs=4096 skip={page} count=1 2>/dev/null | head -c 3"));
    }

    [Fact]
    public async Task A_fault_that_waits_for_the_daemon_holds_up_nobody_else_of_its_process()
    {
        const string go = "/run/map-beside-fault";
        await MakeFileAsync();
        BackgroundCommand process = await A.StartAsync($"exec guest-tool fault-beside-map {Folder}/file {OtherPage} {go}");
        await process.WaitForOutputAsync("mapped");
        await OverwriteAsync(OtherPage);
        using (HeldReply question = await HoldAsync(FuseOpcode.GetAttr, "file"))
        {
            await process.TellAsync();
            await question.WaitAsync();
            await A.ExpectAsync($"touch {go}");
            await process.WaitForOutputAsync("mapped beside it");
            Assert.Contains("/file", await A.ExpectAsync("cat /proc/$(pidof guest-tool)/maps"), StringComparison.Ordinal);
        }

        Assert.EndsWith("n", (await process.CompletionAsync()).Text, StringComparison.Ordinal);
        await A.ExpectAsync($"rm {go}");
    }

    /// <summary>
    /// That of a file that was opened for reading only is not made current by msync, for Linux does not tell the file system of it.
    /// </summary>
    [Fact]
    public async Task A_mapping_becomes_current_by_what_is_promised_to_make_it()
    {
        string[] ways = ["map-msync", "map-fsync", "map-open", "map-read", "map-fault"];
        foreach (string way in ways)
        {
            File.WriteAllText(Path.Combine(HostFolder, way), "old");
        }

        BackgroundCommand looks = await A.StartAsync(
            $"cd {Folder} && guest-tool look-twice {string.Join(' ', ways.Select(way => $"{way} {way}"))}");
        await looks.WaitForOutputAsync("looked");
        await B.ExpectAsync($"cd {Folder} && for f in *; do printf new | dd of=$f conv=notrunc 2>/dev/null; done");
        await looks.TellAsync();
        string seen = (await looks.CompletionAsync()).Text;
        Assert.Equal(["looked", .. ways.Select(way => $"{way} {way} o n")], seen.Split('\n'));
    }

    /// <summary>Known to guest a, every page.</summary>
    private async Task MakeFileAsync()
    {
        await HostShell.ExpectAsync($"for i in $(seq {Pages}); do printf old | dd bs=4096 conv=sync 2>/dev/null; done >{HostFolder}/file");
        await A.ExpectAsync($"cat {Folder}/file >/dev/null; stat {Folder}/file");
    }

    private Task<string> OverwriteAsync(int page) =>
        B.ExpectAsync($"printf new | dd of={Folder}/file bs=4096 seek={page} conv=notrunc 2>/dev/null");
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableMappingTests(CoherentStableGuests guests) : MappingTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieMappingTests(CoherentTrixieGuests guests) : MappingTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidMappingTests(CoherentSidGuests guests) : MappingTests(guests);
