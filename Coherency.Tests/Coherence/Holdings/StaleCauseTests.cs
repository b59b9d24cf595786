using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>Who made stale what a guest holds, and when.</summary>
public sealed class StaleCauseTests : IDisposable
{
    private readonly HoldingsBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Another_guests_change_is_the_cause_and_its_own_are_not()
    {
        HeldGuestClient a = _bed.Connect("a");
        HeldGuestClient b = _bed.Connect("b");
        _bed.WriteFile("f");
        NodeId node = a.Lookup("f");
        SetMode(a, node, 0x1A4);
        Assert.Empty(_bed.Stale());
        DateTime before = DateTime.UtcNow;
        SetMode(b, b.Lookup("f"), 0x180);
        SetMode(b, node, 0x1FF);
        DateTime after = DateTime.UtcNow;

        StaleEntry stale = Assert.Single(_bed.Stale());
        Assert.Equal(("a", "f", node.Value, HeldKind.Attributes), (stale.Guest, stale.Path, stale.NodeId, stale.Kind));
        Assert.Equal(stale.VersionGiven + 2, stale.VersionNow);
        Assert.InRange(stale.Since, before, after);
        Assert.Equal(
            ("SETATTR", "b", "f", false), (stale.Cause!.OperationName, stale.Cause.Actor.Name, stale.Cause.Path, stale.IsFalseSharing));
        Assert.Equal(stale.Since, _bed.Log.ReadHistory(SlotKey.Inode(node.Value), ulong.MaxValue, a.View, 0).First!.Value.At);
        Assert.Equal(1, HoldingsQuery.CountStale(a.Held));
    }

    [Fact]
    public void A_rename_over_a_name_is_the_cause_for_all_that_it_touched()
    {
        HeldGuestClient a = _bed.Connect("a");
        HeldGuestClient b = _bed.Connect("b");
        _bed.WriteFile("x");
        _bed.WriteFile("y");
        a.Lookup("x");
        a.Lookup("y");
        b.Lookup("x");
        b.Fuse.Rename(NodeId.Root, "x"u8, NodeId.Root, "y"u8);

        List<StaleEntry> stale = _bed.Stale(new StaleFilter { Guests = ["a"] });
        Assert.Equal(
            ["Attributes x", "Attributes y", "Name x", "Name y"],
            stale.Select(entry => $"{entry.Kind} {entry.Path}").Order(StringComparer.Ordinal));
        Assert.All(
            stale, entry => Assert.Equal(("RENAME", "b", "x"), (entry.Cause!.OperationName, entry.Cause.Actor.Name, entry.Cause.Path)));
        Assert.Empty(_bed.Stale(new StaleFilter { Guests = ["b"] }));
        b.Fuse.Rename2(NodeId.Root, "y"u8, NodeId.Root, "z"u8, OpenFlags.RENAME_NOREPLACE);
        a.Lookup("y");
        Assert.DoesNotContain(_bed.Stale(), entry => entry.Kind == HeldKind.Name && entry.Path == "y");
    }

    [Fact]
    public void A_hard_link_makes_attributes_stale_and_an_absent_name()
    {
        HeldGuestClient a = _bed.Connect("a");
        HeldGuestClient b = _bed.Connect("b");
        _bed.WriteFile("f");
        a.Lookup("f");
        a.Lookup("hard");
        b.Fuse.Link(b.Lookup("f"), NodeId.Root, "hard"u8);
        Assert.Equal(["AbsentName hard LINK", "Attributes f LINK"], Summary());
        b.Fuse.Unlink(NodeId.Root, "f"u8);
        // The first change made it stale, whatever came after.
        Assert.Equal(["AbsentName hard LINK", "Attributes f LINK", "Name f UNLINK"], Summary());
        NodeId node = a.Lookup("hard");
        Assert.Equal("hard", a.Held.FindPath(node));
        Assert.Equal(["Name f UNLINK"], Summary());
    }

    [Theory]
    [InlineData(WatchState.Fanotify)]
    [InlineData(WatchState.Inotify)]
    public void A_program_of_the_host_is_named_where_the_kernel_tells(WatchState state)
    {
        HostWatcher watcher = _bed.Watch(state);
        Assert.Equal(state, watcher.State);
        using HostProgram host = new(_bed.Directory);
        host.Run("write_new = lambda: os.close(os.open('f', os.O_CREAT|os.O_WRONLY)); write_new(); answer = str(os.getpid())");
        int pid = int.Parse(host.Run("pass"), System.Globalization.CultureInfo.InvariantCulture);
        HeldGuestClient a = _bed.Connect("a");
        NodeId node = a.Lookup("f");
        // Setting a watch moves a slot, too.
        Assert.True(SpinWait.SpinUntil(() => IsFresh(a, node), TimeSpan.FromSeconds(10)));
        host.Run("write('f', b'changed')");

        Assert.True(SpinWait.SpinUntil(() => _bed.Stale().Count == 1, TimeSpan.FromSeconds(10)));
        StaleEntry stale = Assert.Single(_bed.Stale());
        Assert.Equal(("HOST_MODIFY", "f"), (stale.Cause!.OperationName, stale.Cause.Path));
        ChangeActor expected = state == WatchState.Fanotify ? ChangeActor.Host(pid, "python3") : default;
        Assert.Equal(expected, stale.Cause.Actor);
        host.Run("os.rename('f', 'g')");
        Assert.True(SpinWait.SpinUntil(() => _bed.Stale(new StaleFilter { Kinds = HeldKinds.Name }).Count == 1, TimeSpan.FromSeconds(10)));
        Assert.Equal("HOST_RENAME", _bed.Stale(new StaleFilter { Kinds = HeldKinds.Name })[0].Cause!.OperationName);
    }

    [Fact]
    public void A_move_of_the_epoch_makes_everything_stale_for_its_reason()
    {
        HeldGuestClient a = _bed.Connect("a");
        HeldGuestClient b = _bed.Connect("b");
        _bed.WriteFile("f");
        a.Lookup("f");
        b.Lookup("f");
        _bed.Group.InvalidateAll("operator", a.View);
        List<StaleEntry> stale = _bed.Stale();
        Assert.Equal(["a", "a"], stale.Select(entry => entry.Guest));
        Assert.All(stale, entry => Assert.Equal(("EPOCH", "operator"), (entry.Cause!.OperationName, entry.Cause.Actor.Name)));
        _bed.Group.Lost();
        Assert.Equal(4, _bed.Stale().Count);
        Assert.Contains(_bed.Stale(), entry => entry.Guest == "b" && entry.Cause!.Actor.Kind == ChangeActorKind.Daemon);
        a.Lookup("f");
        Assert.Equal(["b", "b"], _bed.Stale().Select(entry => entry.Guest));
    }

    [Fact]
    public void An_invalidation_says_who_wanted_it()
    {
        HeldGuestClient a = _bed.Connect("a");
        _bed.WriteFile("f");
        NodeId node = a.Lookup("f");
        _bed.Group.Invalidate([SlotKey.Inode(node.Value)], "operator");
        StaleEntry stale = Assert.Single(_bed.Stale());
        Assert.Equal(("INVALIDATE", "operator"), (stale.Cause!.OperationName, stale.Cause.Actor.Name));
    }

    [Fact]
    public void What_shares_a_slot_is_called_that_until_it_changes_itself()
    {
        using HoldingsBed crowded = new(slots: 1024);
        HeldGuestClient a = crowded.Connect("a");
        crowded.WriteFile("f");
        NodeId node = a.Lookup("f");
        ulong other = node.Value ^ (1UL << 40);
        crowded.Group.Invalidate([SlotKey.Inode(other)], "operator");
        Assert.True(Assert.Single(crowded.Stale()).IsFalseSharing);
        using (crowded.Group.Begin(null, [TouchedObject.Inode(node.Value)], new ChangeOrigin(ChangeOperation.Write)))
        {
        }

        StaleEntry stale = Assert.Single(crowded.Stale());
        Assert.Equal((false, "WRITE"), (stale.IsFalseSharing, stale.Cause!.OperationName));
    }

    [Fact]
    public void A_cause_that_is_forgotten_is_not_guessed()
    {
        using HoldingsBed small = new(changes: 16);
        HeldGuestClient a = small.Connect("a");
        HeldGuestClient b = small.Connect("b");
        small.WriteFile("f");
        small.WriteFile("g");
        NodeId node = a.Lookup("f");
        NodeId other = b.Lookup("g");
        SetMode(b, b.Lookup("f"), 0x180);
        Assert.NotNull(Assert.Single(small.Stale()).Cause);
        for (int i = 0; i < 16; i++)
        {
            SetMode(b, i == 10 ? node : other, 0x180);
        }

        StaleEntry stale = Assert.Single(small.Stale());
        Assert.Null(stale.Cause);
        Assert.Equal(small.Log.OldestKnown, stale.Since);
    }

    [Fact]
    public void An_answer_that_a_change_overlapped_counts_as_stale_for_that_change()
    {
        HeldGuestClient a = _bed.Connect("a");
        _bed.WriteFile("f");
        NodeId node = a.Lookup("f");
        HeldStart start = a.Held.Start();
        using (_bed.Group.Begin(null, [TouchedObject.Inode(node.Value)], new ChangeOrigin(ChangeOperation.Write)))
        {
        }

        // As if the answer had been looked up before the change, and given after it.
        HeldEntries held = new(a.View);
        object owner = new();
        held.Begin(owner);
        held.Give(owner, start, NodeId.Root, "f"u8, node, StatFlags.S_IFREG, TimeSpan.MaxValue, TimeSpan.MaxValue);
        HoldingsQuery query = new([new HeldGuest("late", "share", held)]);
        Assert.True(query.TryListStale(new StaleFilter(), 10, null, out StalePage page));
        StaleEntry stale = Assert.Single(page.Entries);
        Assert.Equal((HeldKind.Attributes, "WRITE"), (stale.Kind, stale.Cause!.OperationName));
        held.Dispose();
    }

    private static bool IsFresh(HeldGuestClient guest, NodeId node)
    {
        guest.Fuse.GetAttr(node);
        guest.Lookup("f");
        Thread.Sleep(20);
        return guest.Holdings(staleOnly: true).Length == 0;
    }

    private string[] Summary() =>
        [.. _bed.Stale(new StaleFilter { Guests = ["a"] }).Select(entry => $"{entry.Kind} {entry.Path} {entry.Cause?.OperationName}")
            .Order(StringComparer.Ordinal)];

    private static void SetMode(HeldGuestClient guest, NodeId node, uint mode) =>
        guest.Fuse.SetAttr(node, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = mode });
}
