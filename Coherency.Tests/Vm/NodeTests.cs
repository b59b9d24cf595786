using System.Globalization;
using Xunit;

namespace Coherency.Tests.Vm;

[Collection(StableGuests.Collection)]
public sealed class NodeTests(StableGuests guests) : GuestTest(guests)
{
    [Fact]
    public async Task Hard_links_are_one_inode_on_all_sides()
    {
        await A.ExpectAsync($"cd {Folder} && echo text >first && mkdir sub && ln first sub/second && ln first third");
        var status = (await ExpectSameEverywhereAsync("stat -c '%h %i' first sub/second third")).Split('\n');
        Assert.StartsWith("3 ", status[0], StringComparison.Ordinal);
        Assert.Single(status.Distinct());

        await B.ExpectAsync($"cd {Folder} && rm first && echo more >>third");
        Assert.Equal("2\ntext\nmore", await ExpectSameEverywhereAsync("stat -c %h third && cat sub/second"));
    }

    [Fact]
    public async Task A_fifo_carries_data_within_a_guest_and_is_a_fifo_everywhere()
    {
        await A.ExpectAsync($"mkfifo {Folder}/fifo");
        Assert.Equal("fifo", await ExpectSameEverywhereAsync("stat -c %F fifo"));
        Assert.Equal("through", await B.ExpectAsync($"cd {Folder} && (echo through >fifo &) && cat fifo"));
    }

    [Fact]
    public async Task A_socket_node_is_a_socket_everywhere()
    {
        await A.ExpectAsync($"guest-tool make-socket {Folder}/socket");
        Assert.Equal("socket", await ExpectSameEverywhereAsync("stat -c %F socket"));
    }

    [Fact]
    public async Task A_symbolic_link_keeps_its_target_whatever_it_says()
    {
        var target = "../../" + string.Concat(Enumerable.Repeat("nowhere/", 100));
        await A.ExpectAsync($"ln -s {target} {Folder}/link");
        Assert.Equal(target, await ExpectSameEverywhereAsync("readlink link"));
    }

    [Fact]
    public async Task Extended_attributes_set_by_one_guest_are_seen_and_removed_by_the_other()
    {
        await A.ExpectAsync($"cd {Folder} && touch file && guest-tool xattr-set file user.colour green");
        await A.ExpectAsync($"cd {Folder} && guest-tool xattr-set file user.shape round");

        Assert.Equal("green", await B.ExpectAsync($"guest-tool xattr-get {Folder}/file user.colour"));
        Assert.Equal("user.colour\nuser.shape", await B.ExpectAsync($"guest-tool xattr-list {Folder}/file | sort"));
        await B.ExpectAsync($"guest-tool xattr-remove {Folder}/file user.colour");
        Assert.Equal("ENODATA", (await A.RunAsync($"guest-tool xattr-get {Folder}/file user.colour")).Text);
        Assert.Equal("user.shape", await A.ExpectAsync($"guest-tool xattr-list {Folder}/file"));
    }

    [Fact]
    public async Task Attributes_changed_by_one_guest_are_seen_by_the_other_and_the_host()
    {
        await A.ExpectAsync($"cd {Folder} && echo text >file && chmod 4751 file && chown 12:34 file && chmod 4751 file");
        await B.ExpectAsync($"touch -d @1000000000 {Folder}/file");
        Assert.Equal("4751 12 34 5 1000000000", await ExpectSameEverywhereAsync("stat -c '%a %u %g %s %Y' file"));
    }

    [Fact]
    public async Task Writing_to_a_file_drops_its_set_user_id_bit()
    {
        await A.ExpectAsync($"cd {Folder} && echo text >file && chmod 6777 file");
        await B.ExpectAsync($"guest-tool as 1000 1000 1000 022 sh -c 'echo more >>{Folder}/file'");
        Assert.Equal("777", await ExpectSameEverywhereAsync("stat -c %a file"));
    }

    [Fact]
    public async Task A_birth_time_is_the_hosts_or_none()
    {
        await A.ExpectAsync($"touch {Folder}/file");
        var reported = await B.ExpectAsync($"guest-tool birth-time {Folder}/file");
        var onHost = await HostShell.ExpectAsync($"stat -c %.9W {HostFolder}/file");
        // Kernels before 6.6 do not ask for it.
        Assert.Contains(reported, new[] { "none", onHost });
    }

    [Fact]
    public async Task A_user_is_refused_what_the_modes_refuse()
    {
        await A.ExpectAsync($"cd {Folder} && echo secret >file && chmod 600 file");
        var refused = await B.RunAsync($"guest-tool as 1000 1000 1000 022 cat {Folder}/file");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("Permission denied", refused.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stat_of_every_file_is_timed()
    {
        const int files = 200;
        for (var i = 0; i < files; i++)
            File.WriteAllText(Path.Combine(HostFolder, $"{i}"), "");
        var microseconds = await A.ExpectAsync($"guest-tool stat-files {Folder} {files}");
        Assert.True(long.Parse(microseconds, CultureInfo.InvariantCulture) > 0);
    }
}
