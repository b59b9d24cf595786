using Coherency.Core.Fuse;
using Coherency.Guest.Coherence;
using Coherency.Tests.Passthrough;
using Coherency.Tests.Vm;
using Xunit;

namespace Coherency.Tests.Daemon;

/// <summary>The host mounts and unmounts below a share whose guests have everything cached.</summary>
[Trait("Category", "Root")]
public sealed class MountsBelowTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-below-");
    private readonly string _place;
    private readonly ServedCaches _guests;
    private readonly CoherentCache _guest;

    public MountsBelowTests()
    {
        string shared = _work.CreateSubdirectory("shared").FullName;
        _place = Directory.CreateDirectory(Path.Combine(shared, "place")).FullName;
        _guests = new ServedCaches(shared);
        _guest = _guests[0];
    }

    public void Dispose()
    {
        _guests.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [InlineData("mount -t tmpfs tmpfs")]
    [InlineData("mount --bind ELSEWHERE")]
    [InlineData("mount --move ELSEWHERE/moved")]
    public async Task What_is_mounted_over_a_directory_is_seen_and_what_it_covered_comes_back(string mount)
    {
        string elsewhere = _work.CreateSubdirectory("elsewhere").FullName;
        await HostShell.ExpectAsync(
            $"mount -t tmpfs tmpfs {elsewhere} && mount --make-private {elsewhere} && mkdir {elsewhere}/moved && mount -t tmpfs tmpfs " +
            $"{elsewhere}/moved");
        try
        {
            NodeId covered = _guest.Lookup(NodeId.Root, "place")!.Value;
            Assert.Null(_guest.Lookup(covered, "hello"));
            Assert.Empty(_guest.List(covered));
            await HostShell.ExpectAsync(
                $"{mount.Replace("ELSEWHERE", elsewhere, StringComparison.Ordinal)} {_place} && touch {_place}/hello");
            Assert.True(SpinWait.SpinUntil(() => _guest.Lookup(NodeId.Root, "place") != covered, Patience));
            NodeId mounted = _guest.Lookup(NodeId.Root, "place")!.Value;
            Assert.NotNull(_guest.Lookup(mounted, "hello"));
            Assert.Contains("hello", _guest.List(mounted));

            await HostShell.ExpectAsync($"until umount {_place}; do sleep 0.1; done");
            Assert.True(SpinWait.SpinUntil(() => _guest.Lookup(NodeId.Root, "place") == covered, Patience));
            Assert.Null(_guest.Lookup(covered, "hello"));
            Assert.Empty(_guest.List(covered));
        }
        finally
        {
            await HostShell.ExpectAsync($"umount -l {elsewhere}");
        }
    }

    /// <summary>No event tells of it: the disk was not there, or was somebody else's.</summary>
    [Fact]
    public async Task What_changed_on_a_disk_while_it_was_away_is_seen_when_it_is_back()
    {
        string elsewhere = _work.CreateSubdirectory("elsewhere").FullName;
        using LoopFileSystem disk = new("mkfs.ext4 -q -F", _place);
        await HostShell.ExpectAsync($"echo short >{_place}/file");
        NodeId root = _guest.Lookup(NodeId.Root, "place")!.Value;
        NodeId file = _guest.Lookup(root, "file")!.Value;
        Assert.Equal(6UL, _guest.GetAttributes(file).size);
        Assert.Null(_guest.Lookup(root, "new"));
        Assert.True(SpinWait.SpinUntil(disk.TryUnmount, Patience));
        await HostShell.ExpectAsync(
            $"mount -o loop {disk.Image} {elsewhere} && echo longer >>{elsewhere}/file && touch {elsewhere}/new && umount {elsewhere}");
        disk.Mount();
        Assert.True(
            SpinWait.SpinUntil(() => _guest.Lookup(NodeId.Root, "place") == root && _guest.GetAttributes(file).size == 13, Patience));
        Assert.NotNull(_guest.Lookup(root, "new"));

        // And it is watched again.
        await HostShell.ExpectAsync($"echo more >>{_place}/file");
        Assert.True(SpinWait.SpinUntil(() => _guest.GetAttributes(file).size == 18, Patience));
    }
}
