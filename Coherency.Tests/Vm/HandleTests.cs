using Coherency.Core.Fuse;
using Coherency.Guest.VirtualMachines;
using Xunit;

namespace Coherency.Tests.Vm;

/// <summary>
/// What an NFS server in a guest does: it finds inodes by handle, after the guest's kernel and the daemon have forgotten them. That
/// they have is seen from the daemon, and that the handle was used from the request that shows it.
/// </summary>
public abstract class HandleTests(CoherentGuests guests) : GuestTest(guests)
{
    private readonly CoherentGuests _guests = guests;

    [Fact]
    public async Task A_file_a_directory_and_a_symlink_are_found_after_they_were_forgotten()
    {
        await HostShell.ExpectAsync(
            $"cd {HostFolder} && mkdir -p upper/lower && echo content >upper/lower/file && ln -s target upper/link");
        string file = await HandleOfAsync("upper/lower/file");
        string directory = await HandleOfAsync("upper/lower");
        string link = await HandleOfAsync("upper/link");

        await ForgetAsync();
        Assert.Equal("file content", await AskedByHandleAsync(file));
        await ForgetAsync();
        Assert.Equal("symlink target", await AskedByHandleAsync(link));
        await ForgetAsync();
        Assert.Equal($"directory {Folder}/upper/lower", await AskedByHandleAsync(directory));
        // All of it is known now, and unchanged.
        Dictionary<FuseOpcode, long> before = _guests.Server.CountRequests("b");
        Assert.Equal($"directory {Folder}/upper/lower", await ByHandleAsync(directory));
        Assert.Equal(before, _guests.Server.CountRequests("b"));
    }

    [Fact]
    public async Task The_root_of_the_share_is_found_and_what_is_in_it_stays_where_it_was()
    {
        string root = await B.ExpectAsync($"guest-tool handle 0 {TwoGuests.MountPoint}");
        string folder = await B.ExpectAsync($"guest-tool handle 0 {Folder}");
        await ForgetAsync();
        Assert.Equal($"directory {TwoGuests.MountPoint}", await ByHandleAsync(root));
        Assert.Equal($"directory {Folder}", await AskedByHandleAsync(folder));
        Assert.Equal(folder, await B.ExpectAsync($"guest-tool handle 0 {Folder}"));
    }

    [Fact]
    public async Task A_file_is_found_by_whichever_of_its_names_is_left()
    {
        await HostShell.ExpectAsync($"cd {HostFolder} && echo content >first && ln first second");
        string handle = await HandleOfAsync("first");
        await A.ExpectAsync($"rm {Folder}/first");
        await ForgetAsync();
        Assert.Equal("file content", await AskedByHandleAsync(handle));
        Assert.Equal(handle, await HandleOfAsync("second"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_removed_is_stale_whoever_removed_it(bool isForgotten)
    {
        await HostShell.ExpectAsync($"cd {HostFolder} && echo content | tee mine theirs hosts >/dev/null && mkdir directory");
        string[] handles = await Task.WhenAll(
            HandleOfAsync("mine"), HandleOfAsync("theirs"), HandleOfAsync("hosts"), HandleOfAsync("directory"));
        // A has them too, and keeps them from going altogether.
        await A.ExpectAsync($"cat {Folder}/mine {Folder}/theirs {Folder}/hosts; ls {Folder}/directory");
        if (isForgotten)
            await ForgetAsync();
        await B.ExpectAsync($"rm {Folder}/mine");
        await A.ExpectAsync($"rm {Folder}/theirs && rmdir {Folder}/directory");
        await HostShell.ExpectAsync($"rm {HostFolder}/hosts");
        if (isForgotten)
            await ForgetAsync();
        foreach (string handle in handles)
            Assert.Equal("ESTALE", (await B.RunAsync($"guest-tool by-handle {TwoGuests.MountPoint} {handle}")).Text);
    }

    [Fact]
    public async Task What_is_removed_but_open_is_found_until_it_is_closed()
    {
        await HostShell.ExpectAsync($"echo content >{HostFolder}/file");
        string handle = await HandleOfAsync("file");
        await B.ExpectAsync(
            $"exec 9<{Folder}/file; rm {Folder}/file; test \"$(guest-tool by-handle {TwoGuests.MountPoint} {handle})\" = 'file content'");
        Assert.Equal("ESTALE", (await B.RunAsync($"guest-tool by-handle {TwoGuests.MountPoint} {handle}")).Text);
    }

    [Fact]
    public async Task What_another_guest_has_renamed_is_found_where_it_is_now()
    {
        await HostShell.ExpectAsync($"cd {HostFolder} && mkdir -p one/directory two && echo content >one/file");
        string file = await HandleOfAsync("one/file");
        string directory = await HandleOfAsync("one/directory");
        await ForgetAsync();
        await A.ExpectAsync($"cd {Folder} && mv one/file two/renamed && mv one/directory two/moved");
        Assert.Equal("file content", await AskedByHandleAsync(file));
        Assert.Equal($"directory {Folder}/two/moved", await ByHandleAsync(directory));
    }

    [Fact]
    public async Task What_another_guest_has_changed_meanwhile_is_never_the_old()
    {
        await HostShell.ExpectAsync($"echo 0 >{HostFolder}/file");
        string handle = await HandleOfAsync("file");
        for (int i = 1; i <= 10; i++)
        {
            if (i % 2 == 0)
                await ForgetAsync();
            await A.ExpectAsync($"echo {i} >{Folder}/file");
            Assert.Equal($"file {i}", await ByHandleAsync(handle));
        }
    }

    [Fact]
    public async Task A_handle_means_the_same_in_the_other_guest_and_after_a_new_mount()
    {
        await HostShell.ExpectAsync($"echo content >{HostFolder}/file");
        string handle = await HandleOfAsync("file");
        Assert.Equal("file content", await A.ExpectAsync($"guest-tool by-handle {TwoGuests.MountPoint} {handle}"));
        await B.ExpectAsync($"umount {TwoGuests.MountPoint}");
        await _guests.MountAsync(B);
        Assert.Equal("file content", await AskedByHandleAsync(handle));
    }

    [Fact]
    public async Task A_handle_that_the_daemon_did_not_give_is_stale()
    {
        await HostShell.ExpectAsync($"echo content >{HostFolder}/file");
        string handle = await HandleOfAsync("file");
        await ForgetAsync();
        // Behind the type and the node id: all that the daemon gave, and less or more than that.
        const int start = 8 + 16;
        for (int i = start; i < handle.Length; i += 2)
            await ExpectStaleAsync($"{handle[..i]}{(handle[i] == '0' ? '1' : '0')}{handle[(i + 1)..]}");
        await ExpectStaleAsync(handle[..^8]);
        await ExpectStaleAsync(handle + "00000000");
        await ExpectStaleAsync(handle[..start]);
        await ExpectStaleAsync(handle[..start] + string.Concat(Enumerable.Repeat("ff", 128 - 8)));
        Assert.Equal("file content", await AskedByHandleAsync(handle));
    }

    /// <summary>A file system of its own in the guest, whose handles are its own, too.</summary>
    [Fact]
    public async Task What_is_on_a_mount_below_the_share_is_found_there_and_nowhere_else()
    {
        string mounted = $"{HostFolder}/mounted";
        await HostShell.ExpectAsync(
            $"mkdir {mounted} && mount -t tmpfs tmpfs {mounted} && mkdir {mounted}/directory && echo content >{mounted}/directory/file");
        try
        {
            string handle = await HandleOfAsync("mounted/directory/file");
            // The mount stays, so not all is forgotten: but all that is not is the way to it.
            await _guests.DropCachesAsync(B, inodesLeft: 3);
            Assert.Equal("file content", await AskedByHandleAsync(handle, $"{Folder}/mounted"));
            Assert.Equal("ESTALE", (await B.RunAsync($"guest-tool by-handle {TwoGuests.MountPoint} {handle}")).Text);
        }
        finally
        {
            await B.RunAsync($"umount {Folder}/mounted");
            await HostShell.ExpectAsync($"umount -l {mounted}");
        }
    }

    private Task<string> HandleOfAsync(string path) => B.ExpectAsync($"guest-tool handle 0 {Folder}/{path}");

    private Task<string> ByHandleAsync(string handle, string mount = TwoGuests.MountPoint) =>
        B.ExpectAsync($"guest-tool by-handle {mount} {handle}");

    private async Task ExpectStaleAsync(string handle) =>
        Assert.Equal("ESTALE", (await B.RunAsync($"guest-tool by-handle {TwoGuests.MountPoint} {handle}")).Text);

    /// <summary>Expects the guest to show the handle to the daemon.</summary>
    private async Task<string> AskedByHandleAsync(string handle, string mount = TwoGuests.MountPoint)
    {
        long before = _guests.Server.CountRequests("b")[FuseOpcode.GetXattr];
        string found = await ByHandleAsync(handle, mount);
        Assert.True(_guests.Server.CountRequests("b")[FuseOpcode.GetXattr] > before);
        return found;
    }

    /// <summary>Has B forget everything.</summary>
    private Task ForgetAsync() => _guests.DropCachesAsync(B);
}

[Collection(CoherentStableGuests.Collection)]
public sealed class StableHandleTests(CoherentStableGuests guests) : HandleTests(guests);

[Collection(CoherentTrixieGuests.Collection)]
public sealed class TrixieHandleTests(CoherentTrixieGuests guests) : HandleTests(guests);

[Collection(CoherentSidGuests.Collection)]
public sealed class SidHandleTests(CoherentSidGuests guests) : HandleTests(guests);
