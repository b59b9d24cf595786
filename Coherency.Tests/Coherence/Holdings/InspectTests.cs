using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What is known of one path or inode, and the changes as they happen.</summary>
public sealed class InspectTests : IDisposable
{
    private readonly HoldingsBed _bed = new();
    private readonly HeldGuestClient _a;
    private readonly HeldGuestClient _b;

    public InspectTests()
    {
        _a = _bed.Connect("a");
        _b = _bed.Connect("b");
    }

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void A_path_has_slots_holders_and_changes()
    {
        Directory.CreateDirectory(_bed.PathOf("d"));
        _bed.WriteFile("d/f");
        NodeId node = _a.Lookup(_a.Lookup("d"), "f");
        _a.Lookup(_a.Lookup("d"), "f");
        NodeId directory = _b.Lookup("d");
        _b.Fuse.Rename(directory, "f"u8, directory, "g"u8);
        _b.Fuse.Rename(directory, "g"u8, directory, "f"u8);

        InspectedObject found = _bed.Query.Inspect(HoldingsBed.ShareName, "d/f")!;
        Assert.Equal(("d/f", node.Value), (found.Path, found.NodeId));
        Assert.Equal(
            [new InspectedSlot(false, node.Value, node.Value % (ulong)_bed.Slots), SlotOf(directory, "f"u8)], found.Slots);
        Assert.Equal(
            ["a Attributes True 2", "a Name True 2"],
            found.Holders.Select(holder => $"{holder.Guest} {holder.Kind} {holder.IsStale} {holder.Lookups}"));
        Assert.Equal(
            ["RENAME b d/g", "RENAME b d/f"],
            found.Changes.Select(change => $"{change.Cause.OperationName} {change.Cause.Actor.Name} {change.Cause.Path}"));
        Assert.Equal(node.Value, _bed.Query.Inspect(HoldingsBed.ShareName, node)!.NodeId);
    }

    [Fact]
    public void What_nobody_was_told_of_is_not_known()
    {
        _bed.WriteFile("f");
        Assert.Null(_bed.Query.Inspect(HoldingsBed.ShareName, "d/f"));
        Assert.Null(_bed.Query.Inspect(HoldingsBed.ShareName, new NodeId(12345)));
        Assert.Null(_bed.Query.Inspect("another share", ""));
        // The directory is known, so the slot of the name is.
        Assert.Single(_bed.Query.Inspect(HoldingsBed.ShareName, "f")!.Slots);
        Assert.NotNull(_bed.Query.Inspect(HoldingsBed.ShareName, ""));
    }

    [Fact]
    public void Occupied_slots_are_those_of_what_is_held()
    {
        _bed.WriteFile("f");
        _a.Lookup("f");
        _a.Lookup("none");
        Assert.Equal(3, HoldingsQuery.CountOccupiedSlots(_a.Held));
        Assert.Equal(3, HoldingsQuery.CountHeld(_a.Held));
        Assert.Equal(0, HoldingsQuery.CountOccupiedSlots(_b.Held));
    }

    [Fact]
    public void Changes_are_read_as_they_happen()
    {
        long position = _bed.Log.Next;
        NodeId directory = new(_b.Fuse.MkDir(NodeId.Root, "d"u8, 0x1ED).nodeid);
        _b.Fuse.MkDir(directory, "e"u8, 0x1ED);
        _a.Fuse.SetAttr(_a.Lookup("d"), new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Mode, mode = 0x1C0 });
        IReadOnlyList<ChangeReport> changes = _bed.Query.ReadChanges(_bed.Log, ref position, out long missed);
        Assert.Equal(0, missed);
        Assert.Equal(
            ["MKDIR b d", "MKDIR b d/e", "SETATTR a d"],
            changes.Select(change => $"{change.Cause.OperationName} {change.Cause.Actor.Name} {change.Cause.Path}"));
        Assert.Equal([directory.Value], changes[2].Keys);
        Assert.Equal(changes[^1].Sequence + 1, position);
        Assert.Empty(_bed.Query.ReadChanges(_bed.Log, ref position, out _));
    }

    private InspectedSlot SlotOf(NodeId directory, ReadOnlySpan<byte> name)
    {
        ulong key = SlotKey.Name(directory.Value, name).Value;
        return new InspectedSlot(true, key, key % (ulong)_bed.Slots);
    }
}
