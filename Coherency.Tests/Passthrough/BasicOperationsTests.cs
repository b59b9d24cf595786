using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Every operation, on a disk file system, on tmpfs, and without file handles.</summary>
public sealed class BasicOperationsTests
{
    public static TheoryData<string, InodeFileHandles> Places => new()
    {
        { "/tmp", InodeFileHandles.Mandatory },
        { "/dev/shm", InodeFileHandles.Mandatory },
        { "/tmp", InodeFileHandles.Never },
        { "/dev/shm", InodeFileHandles.Never },
    };

    private static TestShare Open(string parent, InodeFileHandles handles) => new(o => o with { InodeFileHandles = handles }, parent);

    [Theory]
    [MemberData(nameof(Places))]
    public void Files_are_made_written_read_and_removed(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        Assert.Equal(handles == InodeFileHandles.Mandatory, share.Share.UsesFileHandles);

        (Entry entry, FileHandle handle) = guest.Create(NodeId.Root, "file", mode: 0x1A0);
        TestGuest.Expect(guest.TryWrite(handle, "hello world", 0));
        Assert.Equal("world", guest.Read(handle, 6));
        Assert.Equal("hello world", File.ReadAllText(share.Path("file")));
        Assert.Equal(StatFlags.S_IFREG | 0x1A0, (uint)guest.Stat(entry.Node).stx_mode);
        Assert.Equal(entry.Node, guest.Lookup("file").Node);
        guest.Release(handle);
        Assert.Equal("hello world", guest.Read(guest.Open(entry.Node, OpenFlags.O_RDONLY)));
        TestGuest.Expect(guest.TryUnlink(NodeId.Root, "file"));
        Assert.Equal(Errno.ENOENT, guest.TryLookup(NodeId.Root, "file", out _));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Directories_links_and_renames(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        TestGuest.Expect(guest.TryMakeDirectory(NodeId.Root, "d", out Entry directory));
        Entry made = guest.Create(directory.Node, "a").Entry;
        TestGuest.Expect(guest.TryLink(made.Node, NodeId.Root, "b", out Entry linked));
        Assert.Equal(made.Node, linked.Node);
        Assert.Equal(2u, linked.Attributes.stx_nlink);
        TestGuest.Expect(guest.TryRename(directory.Node, "a", NodeId.Root, "c"));
        Assert.Equal(made.Node, guest.Lookup("c").Node);
        TestGuest.Expect(guest.TryRename(NodeId.Root, "c", NodeId.Root, "d", OpenFlags.RENAME_EXCHANGE));
        Assert.Equal(directory.Node, guest.Lookup("c").Node);
        Assert.Equal(Errno.EEXIST, guest.TryRename(NodeId.Root, "b", NodeId.Root, "c", OpenFlags.RENAME_NOREPLACE));
        Assert.Equal(Errno.EINVAL, guest.TryRename(NodeId.Root, "b", NodeId.Root, "c", 1 << 10));
        TestGuest.Expect(guest.TryRemoveDirectory(NodeId.Root, "c"));
        Assert.Equal(Errno.ENOENT, guest.TryLookup(NodeId.Root, "c", out _));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void A_symlink_is_handled_itself_and_never_followed(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        TestGuest.Expect(guest.TrySymlink(NodeId.Root, "link", "/etc", out Entry link));
        Assert.Equal("/etc", guest.ReadLink(link.Node));
        Assert.Equal(Errno.ELOOP, guest.TryOpen(link.Node, OpenFlags.O_RDONLY, out _));
        Assert.Equal(Errno.ENOTDIR, guest.TryLookup(link.Node, "passwd", out _));
        Assert.Equal(Errno.ENOTDIR, guest.Files.OpenDirectory(link.Node, out _));
        Assert.Equal(
            Errno.EOPNOTSUPP,
            guest.TrySetAttributes(link.Node, new AttributeChange { Valid = FuseSetAttrValid.Mode, Mode = 0x1FF }, out _));
        Assert.Equal(Errno.ELOOP, guest.TryCreate(NodeId.Root, "link", OpenFlags.O_RDWR, out _, out _));

        AttributeChange change = new() { Valid = FuseSetAttrValid.Mtime, ModificationTime = new timespec { tv_sec = 1000 } };
        TestGuest.Expect(guest.TrySetAttributes(link.Node, change, out statx attributes));
        Assert.Equal(1000, attributes.stx_mtime.tv_sec);
        Assert.NotEqual(1000, new DateTimeOffset(Directory.GetLastWriteTimeUtc("/etc")).ToUnixTimeSeconds());
        TestGuest.Expect(guest.TryLink(link.Node, NodeId.Root, "again", out Entry again));
        Assert.Equal(link.Node, again.Node);
        Assert.Equal("/etc", guest.ReadLink(guest.Lookup("again").Node));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Attributes_change_in_order_and_come_back(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        share.WriteFile("file", "0123456789");
        Entry entry = guest.Lookup("file");
        AttributeChange change = new()
        {
            Valid =
                FuseSetAttrValid.Mode | FuseSetAttrValid.Uid | FuseSetAttrValid.Size | FuseSetAttrValid.Atime | FuseSetAttrValid.MtimeNow,
            Mode = StatFlags.S_IFREG | 0x180,
            Uid = 1234,
            Size = 4,
            AccessTime = new timespec { tv_sec = 77, tv_nsec = 5 },
        };
        TestGuest.Expect(guest.TrySetAttributes(entry.Node, change, out statx after));
        Assert.Equal(StatFlags.S_IFREG | 0x180, (uint)after.stx_mode);
        Assert.Equal((1234u, entry.Attributes.stx_gid, 4UL), (after.stx_uid, after.stx_gid, after.stx_size));
        Assert.Equal((77L, 5u), (after.stx_atime.tv_sec, after.stx_atime.tv_nsec));
        Assert.Equal("0123", File.ReadAllText(share.Path("file")));

        FileHandle handle = guest.Open(entry.Node, OpenFlags.O_RDWR);
        change = new AttributeChange { Valid = FuseSetAttrValid.Size | FuseSetAttrValid.Fh, Handle = handle, Size = 2 };
        TestGuest.Expect(guest.TrySetAttributes(entry.Node, change, out after));
        Assert.Equal(2UL, after.stx_size);
        Assert.Equal(Errno.EBADF, guest.TrySetAttributes(NodeId.Root, change, out _));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Listings_are_whole_whatever_the_size_of_replies(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        for (int i = 0; i < 500; i++)
        {
            share.WriteFile($"file-{i}-{new string('x', i % 50)}");
        }

        string[] expected =
            [.. Directory.GetFiles(share.Directory).Select(Path.GetFileName).Append(".").Append("..").Order(StringComparer.Ordinal)!];
        foreach (int replyBytes in (int[])[500, 4096, 1 << 20])
        {
            foreach (bool plus in (bool[])[false, true])
            {
                List<ListedEntry> listed = guest.List(NodeId.Root, plus, replyBytes);
                Assert.Equal(expected, listed.Select(e => e.Name).Order(StringComparer.Ordinal));
                ulong root = guest.Stat(NodeId.Root).stx_ino;
                Assert.All(listed.Where(e => e.Name is "." or ".."), e => Assert.Equal((root, 0UL), (e.Ino, e.Node)));
                Assert.All(listed.Where(e => plus && e.Name is not ("." or "..")), e => Assert.Equal(e.Ino, e.EntryIno));
            }
        }

        // Three listings with attributes counted three references of each.
        ListedEntry some = guest.List(NodeId.Root, plus: false).First(e => e.Type == 8);
        NodeId node = guest.Lookup(some.Name).Node;
        guest.Files.Forget(node, 3);
        guest.Stat(node);
        guest.Files.Forget(node, 1);
        Assert.Equal(Errno.ESTALE, guest.Files.GetAttributes(node, null, out _));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Xattrs_of_files_symlinks_and_fifos(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        share.WriteFile("file");
        NodeId file = guest.Lookup("file").Node;
        TestGuest.Expect(guest.TrySetXattr(file, "user.colour", "blue"));
        TestGuest.Expect(guest.TryGetXattr(file, "user.colour", out string value));
        Assert.Equal("blue", value);
        TestGuest.Expect(guest.TryRemoveXattr(file, "user.colour"));
        Assert.Equal(Errno.ENODATA, guest.TryGetXattr(file, "user.colour", out _));

        // The link's target has to stay without it: that is what following would change.
        TestGuest.Expect(guest.TrySymlink(NodeId.Root, "link", share.Path("file"), out Entry link));
        Assert.Equal(Errno.EPERM, guest.TrySetXattr(link.Node, "user.colour", "red"));
        TestGuest.Expect(guest.TrySetXattr(link.Node, "trusted.colour", "red"));
        TestGuest.Expect(guest.TryGetXattr(link.Node, "trusted.colour", out value));
        Assert.Equal("red", value);
        Assert.Equal(Errno.ENODATA, guest.TryGetXattr(file, "trusted.colour", out _));

        TestGuest.Expect(guest.TryMakeNode(NodeId.Root, "fifo", StatFlags.S_IFIFO | 0x1A4, 0, out Entry fifo));
        TestGuest.Expect(guest.TrySetXattr(fifo.Node, "trusted.colour", "green"));
        Assert.Equal(Errno.ENXIO, guest.TryOpen(fifo.Node, OpenFlags.O_RDONLY, out _));
        Assert.Equal(Errno.ENXIO, guest.TryCreate(NodeId.Root, "fifo", OpenFlags.O_RDWR, out _, out _));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void A_temporary_file_can_be_linked(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        TestGuest.Expect(
            guest.Files.CreateTemporary(TestGuest.Root, NodeId.Root, OpenFlags.O_RDWR, 0x180, out Entry entry, out FileHandle handle));
        TestGuest.Expect(guest.TryWrite(handle, "kept", 0));
        Assert.Equal(0u, guest.Stat(entry.Node).stx_nlink);
        TestGuest.Expect(guest.TryLink(entry.Node, NodeId.Root, "name", out Entry linked));
        Assert.Equal(entry.Node, linked.Node);
        Assert.Equal("kept", File.ReadAllText(share.Path("name")));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Holes_ranges_and_statistics(string parent, InodeFileHandles handles)
    {
        using TestShare share = Open(parent, handles);
        TestGuest guest = share.OpenGuest();
        FileHandle a = guest.Create(NodeId.Root, "a").Handle;
        FileHandle b = guest.Create(NodeId.Root, "b").Handle;
        TestGuest.Expect(guest.TryWrite(a, "data", 1 << 20));
        TestGuest.Expect(guest.Files.Seek(a, 0, 3, out long data));
        Assert.Equal(1 << 20, data);
        TestGuest.Expect(guest.Files.Seek(a, 0, 4, out long hole));
        Assert.Equal(0, hole);
        Assert.Equal(Errno.EINVAL, guest.Files.Seek(a, 0, 0, out _));
        TestGuest.Expect(guest.Files.CopyRange(TestGuest.Root, a, 1 << 20, b, 1, 4, out long copied));
        Assert.Equal(4, copied);
        Assert.Equal("\0data", guest.Read(b));
        TestGuest.Expect(guest.Files.Allocate(TestGuest.Root, b, 0, 0, 100));
        TestGuest.Expect(guest.Files.Sync(b, true));
        TestGuest.Expect(guest.Files.GetStatistics(NodeId.Root, out statfs statistics));
        Assert.True(statistics.f_blocks > 0);
        TestGuest.Expect(guest.Files.SyncFileSystem(NodeId.Root));
        TestGuest.Expect(guest.Files.CheckAccess(TestGuest.Root, NodeId.Root, 7));
    }
}
