using Xunit;

namespace Coherency.Tests.Vm;

[Collection(StableGuests.Collection)]
public sealed class FileContentTests(StableGuests guests) : GuestTest(guests)
{
    private const long MiB = 1 << 20;
    private const long BlockSize = 512;

    [Fact]
    public async Task A_sparse_file_of_1_GiB_occupies_only_its_data_and_shows_its_holes()
    {
        await A.ExpectAsync(
            $"cd {Folder} && truncate -s 1G sparse && dd if=/dev/urandom of=sparse bs=1M seek=512 count=1 conv=notrunc");

        Assert.Equal(
            $"hole 0 {512 * MiB}\ndata {512 * MiB} {513 * MiB}\nhole {513 * MiB} {1024 * MiB}",
            await B.ExpectAsync($"guest-tool holes {Folder}/sparse"));
        Assert.Equal($"{1024 * MiB}", await ExpectSameEverywhereAsync("stat -c %s sparse"));
        Assert.InRange(await AllocatedBytesAsync("sparse"), MiB, MiB + MiB / 8);
    }

    [Fact]
    public async Task A_punched_hole_frees_the_hosts_blocks_and_reads_as_zeros()
    {
        await A.ExpectAsync($"dd if=/dev/urandom of={Folder}/file bs=1M count=2");
        await B.ExpectAsync($"guest-tool punch {Folder}/file 0 {MiB}");

        Assert.Equal(
            $"hole 0 {MiB}\ndata {MiB} {2 * MiB}", await A.ExpectAsync($"guest-tool holes {Folder}/file"));
        Assert.InRange(await AllocatedBytesAsync("file"), MiB, MiB + MiB / 8);
        await B.ExpectAsync($"head -c {MiB} /dev/zero | cmp -n {MiB} - {Folder}/file");
    }

    [Fact]
    public async Task A_range_copied_by_one_guest_is_read_by_the_other()
    {
        await A.ExpectAsync($"dd if=/dev/urandom of={Folder}/source bs=1k count=100");
        Assert.Equal("50000", await A.ExpectAsync($"cd {Folder} && guest-tool copy-range source target 1000 50000"));
        await B.ExpectAsync($"cd {Folder} && tail -c +1001 source | head -c 50000 | cmp - target");
    }

    [Fact]
    public async Task A_file_made_without_a_name_appears_complete_when_it_is_linked()
    {
        await A.ExpectAsync($"guest-tool tmpfile {Folder} {Folder}/named complete");
        Assert.Equal("complete", await ExpectSameEverywhereAsync("cat named"));
    }

    [Fact]
    public async Task What_one_guest_appends_the_other_reads_at_once()
    {
        for (var i = 0; i < 20; i++)
        {
            await A.ExpectAsync($"echo {i} >>{Folder}/log");
            Assert.Equal($"{i}", await B.ExpectAsync($"tail -n 1 {Folder}/log"));
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public async Task An_unlinked_file_stays_usable_while_it_is_open(string unlinkingGuest)
    {
        await A.ExpectAsync($"printf before, >{Folder}/file");
        var user = await A.StartAsync($"guest-tool hold-open {Folder}/file after");
        await user.WaitForOutputAsync("open");

        await (unlinkingGuest == "a" ? A : B).ExpectAsync($"rm {Folder}/file");
        Assert.Equal("", await ExpectSameEverywhereAsync("ls"));

        await user.TellAsync();
        Assert.Equal("open\nlinks 0 content before,after", (await user.CompletionAsync()).Text);
    }

    private async Task<long> AllocatedBytesAsync(string file) =>
        long.Parse(await HostShell.ExpectAsync($"sync {HostFolder}/{file} && stat -c %b {HostFolder}/{file}"),
            System.Globalization.CultureInfo.InvariantCulture) * BlockSize;
}
