using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Tests.Coherence;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Each operation touches the slots that the version table's design lists for it, also when it fails.</summary>
public sealed class MutationTests : IDisposable
{
    private readonly TestShare _share = new();
    private readonly WatchedTable _own;
    private readonly WatchedTable _others;
    private readonly TestGuest _guest;
    private readonly SlotKey _root;

    public MutationTests()
    {
        _own = new WatchedTable(_share.Share.Group, _share.Share.RootKey);
        _others = new WatchedTable(_share.Share.Group, _share.Share.RootKey);
        _guest = _share.OpenGuest(_own.View);
        _root = SlotKey.Inode(_share.Share.RootKey);
    }

    public void Dispose()
    {
        _share.Dispose();
        _own.Dispose();
        _others.Dispose();
    }

    [Fact]
    public void Making_names()
    {
        _guest.Create(NodeId.Root, "a");
        ExpectSlots(Name("a"), _root);
        TestGuest.Expect(_guest.TryMakeDirectory(NodeId.Root, "d", out Entry directory));
        ExpectSlots(Name("d"), _root);
        TestGuest.Expect(_guest.TrySymlink(NodeId.Root, "s", "x", out _));
        ExpectSlots(Name("s"), _root);
        TestGuest.Expect(_guest.TryMakeNode(directory.Node, "n", StatFlags.S_IFREG | 0x1A4, 0, out _));
        ExpectSlots(SlotKey.Name(directory.Node.Value, "n"u8), SlotKey.Inode(directory.Node.Value));
        Assert.Equal(Errno.EEXIST, _guest.TryMakeDirectory(NodeId.Root, "d", out _));
        ExpectSlots(Name("d"), _root);
        Assert.Equal(Errno.EEXIST, _guest.TryCreate(NodeId.Root, "a", OpenFlags.O_EXCL | OpenFlags.O_RDWR, out _, out _));
        ExpectSlots(Name("a"), _root);
    }

    [Fact]
    public void Linking_and_removing()
    {
        SlotKey file = File("a");
        TestGuest.Expect(_guest.TryLink(Node("a"), NodeId.Root, "b", out _));
        ExpectSlots(Name("b"), _root, file);
        Assert.Equal(Errno.EEXIST, _guest.TryLink(Node("a"), NodeId.Root, "b", out _));
        ExpectSlots(Name("b"), _root, file);
        TestGuest.Expect(_guest.TryUnlink(NodeId.Root, "b"));
        ExpectSlots(Name("b"), _root, file);
        Assert.Equal(Errno.ENOENT, _guest.TryUnlink(NodeId.Root, "b"));
        ExpectSlots(Name("b"), _root);
        Assert.Equal(Errno.ENOTDIR, _guest.TryRemoveDirectory(NodeId.Root, "a"));
        ExpectSlots(Name("a"), _root, file);
        // Known to nobody, and touched all the same: a reader on the host may cache it.
        Directory.CreateDirectory(_share.Path("unknown"));
        SlotKey unknown;
        using (TestGuest other = new(_share.Share.OpenSession()))
        {
            unknown = SlotKey.Inode(other.Lookup("unknown").Node.Value);
        }

        TestGuest.Expect(_guest.TryRemoveDirectory(NodeId.Root, "unknown"));
        ExpectSlots(Name("unknown"), _root, unknown);
    }

    [Fact]
    public void Renaming()
    {
        SlotKey a = File("a");
        SlotKey b = File("b");
        Directory.CreateDirectory(_share.Path("d"));
        NodeId directory = Node("d");
        SlotKey inside = SlotKey.Name(directory.Value, "a"u8);
        TestGuest.Expect(_guest.TryRename(NodeId.Root, "a", directory, "a"));
        ExpectSlots(Name("a"), inside, _root, SlotKey.Inode(directory.Value), a);
        TestGuest.Expect(_guest.TryRename(directory, "a", NodeId.Root, "b", OpenFlags.RENAME_EXCHANGE));
        ExpectSlots(inside, Name("b"), SlotKey.Inode(directory.Value), _root, a, b);
        TestGuest.Expect(_guest.TryRename(directory, "a", NodeId.Root, "b"));
        ExpectSlots(inside, Name("b"), SlotKey.Inode(directory.Value), _root, b, a);
        Assert.Equal(Errno.ENOENT, _guest.TryRename(NodeId.Root, "none", NodeId.Root, "b"));
        ExpectSlots(Name("none"), Name("b"), _root, _root, b);
        TestGuest.Expect(_guest.TryRename(NodeId.Root, "b", NodeId.Root, "c", OpenFlags.RENAME_WHITEOUT));
        ExpectSlots(Name("b"), Name("c"), _root, _root, b);
    }

    [Fact]
    public void Changing_a_file()
    {
        SlotKey file = File("a");
        SlotKey other = File("b");
        NodeId node = Node("a");
        TestGuest.Expect(_guest.TrySetAttributes(node, new AttributeChange { Valid = FuseSetAttrValid.Mode, Mode = 0x1A4 }, out _));
        ExpectSlots(file);
        TestGuest.Expect(_guest.TrySetXattr(node, "user.a", "b"));
        ExpectSlots(file);
        TestGuest.Expect(_guest.TryRemoveXattr(node, "user.a"));
        ExpectSlots(file);
        Assert.Equal(Errno.ENODATA, _guest.TryRemoveXattr(node, "user.a"));
        ExpectSlots(file);
        FileHandle handle = _guest.Open(node, OpenFlags.O_RDWR | OpenFlags.O_TRUNC);
        ExpectSlots(file);
        TestGuest.Expect(_guest.TryWrite(handle, "x", 0));
        ExpectSlots(file);
        TestGuest.Expect(_guest.Files.Allocate(TestGuest.Root, handle, 0, 0, 10));
        ExpectSlots(file);
        FileHandle target = _guest.Open(Node("b"), OpenFlags.O_RDWR);
        TestGuest.Expect(_guest.Files.CopyRange(TestGuest.Root, handle, 0, target, 0, 5, out _));
        ExpectSlots(other);
        TestGuest.Expect(_guest.TryCreate(NodeId.Root, "a", OpenFlags.O_RDWR | OpenFlags.O_TRUNC, out _, out _));
        ExpectSlots(Name("a"), _root, file);
    }

    [Fact]
    public void Changing_a_file_by_its_node()
    {
        SlotKey file = File("a");
        SlotKey other = File("b");
        Assert.True(_guest.Files.TryDoWithoutOpens());
        FileTarget target = new(Node("a"), default);
        TestGuest.Expect(_guest.TryWrite(target, "x", 0));
        ExpectSlots(file);
        TestGuest.Expect(_guest.Files.Allocate(TestGuest.Root, target, 0, 0, 10));
        ExpectSlots(file);
        TestGuest.Expect(_guest.Files.CopyRange(TestGuest.Root, target, 0, new FileTarget(Node("b"), default), 0, 5, out _));
        ExpectSlots(other);
        TestGuest.Expect(
            _guest.TrySetAttributes(target.Node, new AttributeChange { Valid = FuseSetAttrValid.Size | FuseSetAttrValid.Fh }, out _));
        ExpectSlots(file);
        TestGuest.Expect(_guest.TryCreate(NodeId.Root, "a", OpenFlags.O_RDWR | OpenFlags.O_TRUNC, out _, out _));
        ExpectSlots(Name("a"), _root, file);
        _guest.Read(target);
        _guest.List(new FileTarget(NodeId.Root, default));
        TestGuest.Expect(_guest.Files.Sync(target, false));
        TestGuest.Expect(_guest.Files.Flush(target, 1));
        ExpectSlots();
    }

    [Fact]
    public void Reading_touches_nothing()
    {
        File("a");
        FileHandle handle = _guest.Open(Node("a"), OpenFlags.O_RDONLY);
        _guest.Read(handle);
        _guest.List(NodeId.Root);
        TestGuest.Expect(_guest.Files.Sync(handle, false));
        TestGuest.Expect(_guest.Files.Flush(handle, 1));
        _guest.Release(handle);
        TestGuest.Expect(_guest.Files.CreateTemporary(TestGuest.Root, NodeId.Root, OpenFlags.O_RDWR, 0x180, out _, out _));
        ExpectSlots();
    }

    private SlotKey File(string name)
    {
        _share.WriteFile(name, "0123456789");
        return SlotKey.Inode(Node(name).Value);
    }

    private NodeId Node(string name) => _guest.Lookup(name).Node;

    private SlotKey Name(string name) => SlotKey.Name(_share.Share.RootKey, Encoding.UTF8.GetBytes(name));

    /// <summary>The change moved exactly these slots of the other guest's table, and none of the table of whoever made it.</summary>
    private void ExpectSlots(params SlotKey[] slots)
    {
        Assert.Equal(WatchedTable.MovesOf(slots), _others.TakeMoves());
        Assert.Empty(_own.TakeMoves());
    }
}
