using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Server;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What each request makes a guest hold, by guests in user space on a real share.</summary>
public sealed class HeldRecordingTests : IDisposable
{
    private readonly HoldingsBed _bed = new();
    private readonly HeldGuestClient _a;

    public HeldRecordingTests() => _a = _bed.Connect("a");

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Lookup_gives_a_name_and_attributes()
    {
        Directory.CreateDirectory(_bed.PathOf("d"));
        _bed.WriteFile("d/f");
        _a.Lookup(_a.Lookup("d"), "f");
        Expect("Attributes d", "Attributes d/f", "Name d", "Name d/f");
    }

    [Fact]
    public void Lookup_of_what_is_not_there_gives_its_absence()
    {
        Assert.Equal(0UL, _a.Lookup("none").Value);
        Expect("AbsentName none");
        _bed.WriteFile("none");
        _a.Lookup("none");
        Expect("Attributes none", "Name none");
    }

    [Fact]
    public void Getattr_gives_attributes_anew()
    {
        _bed.WriteFile("f");
        NodeId node = _a.Lookup("f");
        _a.Fuse.GetAttr(NodeId.Root);
        Expect("Attributes ", "Attributes f", "Name f");
        HeldGuestClient b = _bed.Connect("b");
        Chmod(b, b.Lookup("f"));
        ExpectStale("Attributes f");
        _a.Fuse.GetAttr(node);
        ExpectStale();
    }

    [Fact]
    public void Readlink_gives_the_target()
    {
        File.CreateSymbolicLink(_bed.PathOf("link"), "target");
        _a.Fuse.ReadLink(_a.Lookup("link"));
        Expect("Attributes link", "Name link", "SymlinkTarget link");
    }

    [Fact]
    public void Readdir_gives_the_listing_and_with_plus_what_is_in_it()
    {
        _bed.WriteFile("f");
        List();
        Expect("Listing ");
        FileHandle handle = new(_a.Fuse.OpenDir(NodeId.Root).fh);
        _a.Fuse.ReadDirPlus(NodeId.Root, handle, 0);
        _a.Fuse.ReleaseDir(NodeId.Root, handle);
        Expect("Attributes f", "Listing ", "Name f");
    }

    [Fact]
    public void Forget_takes_the_inode_and_its_names_away()
    {
        _bed.WriteFile("f");
        NodeId node = _a.Lookup("f");
        _a.Lookup("f");
        Forget(node, 1);
        Expect("Attributes f", "Name f");
        Forget(node, 5);
        Expect();
        Assert.Equal(new HeldCounts(1, 0, 0, 0, 0, 0), _a.Held.Counts with { Bytes = 0 });
        _a.Lookup("f");
        Expect("Attributes f", "Name f");
    }

    [Fact]
    public void A_directory_that_is_forgotten_takes_the_absence_of_names_in_it_along()
    {
        Directory.CreateDirectory(_bed.PathOf("d"));
        NodeId directory = _a.Lookup("d");
        for (int i = 0; i < 100; i++)
        {
            _a.Lookup(directory, $"none{i}");
        }

        Assert.Equal(102, _a.Holdings().Length);
        Forget(directory, 1);
        Expect();
        // The records go a few at a time, with later requests.
        for (int i = 0; i < 20; i++)
        {
            Forget(directory, 1);
        }

        Assert.Equal(0, _a.Held.Counts.Names);
    }

    [Fact]
    public void Own_names_are_made_moved_and_removed()
    {
        NodeId directory = new(_a.Fuse.MkDir(NodeId.Root, "d"u8, 0x1ED).nodeid);
        _a.Fuse.Create(directory, "f"u8, OpenFlags.O_RDWR, 0x1A4);
        _a.Fuse.Symlink(NodeId.Root, "s"u8, "x"u8);
        _a.Fuse.MkNod(NodeId.Root, "n"u8, StatFlags.S_IFREG | 0x1A4);
        ExpectNames("d", "d/f", "n", "s");
        _a.Fuse.Rename(NodeId.Root, "d"u8, NodeId.Root, "e"u8);
        ExpectNames("e", "e/f", "n", "s");
        _a.Fuse.Rename(NodeId.Root, "s"u8, NodeId.Root, "n"u8);
        ExpectNames("e", "e/f", "n");
        _a.Fuse.Rename2(NodeId.Root, "n"u8, directory, "f"u8, OpenFlags.RENAME_EXCHANGE);
        ExpectNames("e", "e/f", "n");
        Assert.Contains("Attributes n", _a.Holdings());
        _a.Fuse.Link(_a.Lookup("n"), NodeId.Root, "hard"u8);
        ExpectNames("e", "e/f", "hard", "n");
        _a.Fuse.Unlink(NodeId.Root, "n"u8);
        _a.Fuse.Unlink(directory, "f"u8);
        ExpectNames("e", "hard");
        _a.Fuse.RmDir(NodeId.Root, "e"u8);
        ExpectNames("hard");
        ExpectStale();
    }

    [Fact]
    public void An_own_change_of_a_directory_gives_up_what_was_known_of_it()
    {
        List();
        _a.Fuse.GetAttr(NodeId.Root);
        Expect("Attributes ", "Listing ");
        _a.Fuse.MkDir(NodeId.Root, "d"u8, 0x1ED);
        Expect("Attributes d", "Name d");
    }

    [Fact]
    public void A_reset_takes_everything_away()
    {
        _bed.WriteFile("f");
        _a.Lookup("f");
        _a.Lookup("none");
        _a.Guest.Reboot();
        Expect();
        Assert.Equal(new HeldCounts(1, 0, 0, 0, 0, 0), _a.Held.Counts with { Bytes = 0 });
    }

    [Fact]
    public void A_guest_without_a_table_holds_until_the_time_is_up()
    {
        HeldGuestClient timed = _bed.Connect("timed", CacheMode.Auto);
        _bed.WriteFile("f");
        timed.Lookup("f");
        timed.Lookup("none");
        Assert.Equal(["AbsentName none", "Attributes f", "Name f"], timed.Holdings());
        HeldGuestClient b = _bed.Connect("b");
        Chmod(b, b.Lookup("f"));
        Assert.Equal(["Attributes f"], timed.Holdings(staleOnly: true));
        Assert.True(SpinWait.SpinUntil(() => timed.Holdings().Length == 0, TimeSpan.FromSeconds(10)));
        Assert.Equal(2, timed.Held.Counts.Nodes);
    }

    [Fact]
    public void A_guest_that_may_cache_nothing_holds_nothing_but_its_inodes()
    {
        HeldGuestClient never = _bed.Connect("never", CacheMode.Never);
        _bed.WriteFile("f");
        NodeId node = never.Lookup("f");
        Assert.Empty(never.Holdings());
        Assert.Equal("f", never.Held.FindPath(node));
    }

    [Fact]
    public void Names_that_do_not_exist_are_bounded_and_the_oldest_go()
    {
        HeldGuestClient few = _bed.Connect("few", limits: new HeldLimits(AbsentNamesMax: 3));
        foreach (string name in (string[])["v", "w", "x", "v", "y", "z"])
        {
            few.Lookup(name);
        }

        Assert.Equal(2, few.Held.Counts.EvictedNames);
        Assert.Equal(3, few.Holdings().Length);
        Assert.Contains("AbsentName z", few.Holdings());
    }

    private void List()
    {
        FileHandle handle = new(_a.Fuse.OpenDir(NodeId.Root).fh);
        _a.Fuse.ReadDir(NodeId.Root, handle, 0);
        _a.Fuse.ReleaseDir(NodeId.Root, handle);
    }

    private void Forget(NodeId node, ulong count)
    {
        _a.Fuse.Forget(node, count);
        _a.Fuse.DrainForgets();
    }

    private static void Chmod(HeldGuestClient guest, NodeId node) =>
        guest.Fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = 0x180 });

    private void Expect(params string[] holdings) => Assert.Equal(holdings, _a.Holdings());

    private void ExpectNames(params string[] paths) =>
        Assert.Equal(paths.Select(path => $"Name {path}"), _a.Holdings().Where(held => held.StartsWith("Name", StringComparison.Ordinal)));

    private void ExpectStale(params string[] holdings) => Assert.Equal(holdings, _a.Holdings(staleOnly: true));
}
