using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Requests that a guest's kernel would not send, names at the limits, and large vectors.</summary>
[Trait("Category", "Root")]
public sealed unsafe class HostileTests
{
    [Fact]
    public void Names_of_odd_bytes_and_of_the_greatest_length()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        byte[][] names =
        [
            [0xFF, 0xFE, (byte)'\n'], [.. Enumerable.Repeat((byte)'n', EntryName.BytesMax)], "\\ *"u8.ToArray(), "..."u8.ToArray(),
        ];
        foreach (byte[] name in names)
        {
            fixed (byte* p = (byte[])[.. name, 0])
            {
                EntryName entryName = new(p, name.Length);
                TestGuest.Expect(guest.Files.MakeDirectory(TestGuest.Root, NodeId.Root, entryName, 0x1ED, out Entry made));
                TestGuest.Expect(guest.Files.Lookup(NodeId.Root, entryName, out Entry found));
                Assert.Equal(made.Node, found.Node);
                TestGuest.Expect(guest.Files.RemoveDirectory(NodeId.Root, entryName));
            }
        }
    }

    [Fact]
    public void A_symlink_put_in_a_directorys_place_leads_nowhere()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        Directory.CreateDirectory(share.Path("d"));
        NodeId directory = guest.Lookup("d").Node;
        Directory.Delete(share.Path("d"));
        File.CreateSymbolicLink(share.Path("d"), "/etc");
        Assert.NotEqual(Errno.None, guest.TryLookup(directory, "passwd", out _));
        Assert.Equal(Errno.ENOTDIR, guest.TryLookup(guest.Lookup("d").Node, "passwd", out _));
    }

    [Fact]
    public void Flags_out_of_range_are_refused_or_dropped()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        share.WriteFile("file", "text");
        NodeId node = guest.Lookup("file").Node;
        Assert.Equal(
            "text",
            guest.Read(
                guest.Open(node, OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_DIRECTORY | OpenFlags.O_PATH | OpenFlags.O_DIRECT)));
        Assert.Equal(Errno.EISDIR, guest.TryOpen(NodeId.Root, OpenFlags.O_RDONLY, out _));
        Assert.Equal(Errno.EINVAL, guest.TryMakeNode(NodeId.Root, "x", 0xF000, 0, out _));
        Assert.Equal(Errno.EPERM, guest.TryMakeNode(NodeId.Root, "x", StatFlags.S_IFDIR, 0, out _));
        Assert.Equal(Errno.EINVAL, guest.TryMakeNode(NodeId.Root, "x", StatFlags.S_IFLNK, 0, out _));
        Assert.Equal(Errno.EINVAL, guest.TrySetAttributes(node, new AttributeChange { Valid = FuseSetAttrValid.Size, Size = -1 }, out _));
        FileHandle handle = guest.Open(node, OpenFlags.O_RDWR);
        Assert.Equal(Errno.EINVAL, guest.TryWrite(handle, "x", -1));
        Assert.Equal(Errno.EINVAL, guest.Files.Allocate(TestGuest.Root, handle, 0, -1, 10));
        Assert.Equal(Errno.EISDIR, guest.TrySetAttributes(NodeId.Root, new AttributeChange { Valid = FuseSetAttrValid.Size }, out _));
        TestGuest.Expect(guest.Files.OpenDirectory(NodeId.Root, out FileHandle directory));
        Assert.NotEqual(Errno.None, guest.Files.ReadDirectory(directory, -5, false, new ListingSink(4096)));
    }

    [Fact]
    public void More_vectors_than_one_system_call_takes()
    {
        const int count = 3000;
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        FileHandle handle = guest.Create(NodeId.Root, "file").Handle;
        byte[] data = new byte[count * 3];
        new Random(7).NextBytes(data);
        byte[] back = new byte[data.Length];
        fixed (byte* d = data, b = back)
        {
            IoVec[] vectors = new IoVec[count];
            fixed (IoVec* v = vectors)
            {
                Fill(vectors, d);
                TestGuest.Expect(guest.Files.Write(TestGuest.Root, handle, v, count, 5, FuseWriteFlags.None, out long written));
                Assert.Equal(data.Length, written);
                Fill(vectors, b);
                TestGuest.Expect(guest.Files.Read(handle, v, count, 5, mayWait: true, out long read));
                Assert.Equal(data.Length, read);
                TestGuest.Expect(guest.Files.Read(handle, v, count, data.Length, mayWait: true, out read));
                Assert.Equal(5, read);
            }
        }

        Assert.Equal(data, File.ReadAllBytes(share.Path("file"))[5..]);

        static void Fill(IoVec[] vectors, byte* start)
        {
            for (int i = 0; i < count; i++)
            {
                vectors[i] = new IoVec(start + (3 * i), 3);
            }
        }
    }

    [Fact]
    public void Appending_lands_at_the_end_whoever_wrote_there()
    {
        using TestShare share = new();
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        share.WriteFile("log", "");
        FileHandle inA = a.Open(a.Lookup("log").Node, OpenFlags.O_WRONLY | OpenFlags.O_APPEND);
        FileHandle inB = b.Open(b.Lookup("log").Node, OpenFlags.O_WRONLY | OpenFlags.O_APPEND);
        const int flags = OpenFlags.O_WRONLY | OpenFlags.O_APPEND;
        TestGuest.Expect(a.TryWrite(inA, "one ", 0, openFlags: flags));
        TestGuest.Expect(b.TryWrite(inB, "two ", 0, openFlags: flags));
        TestGuest.Expect(a.TryWrite(inA, "three", 4, openFlags: flags));
        Assert.Equal("one two three", File.ReadAllText(share.Path("log")));
    }

    [Fact]
    public void A_write_back_client_may_read_what_it_opened_for_writing()
    {
        using TestShare share = new(o => o with { Writeback = true });
        TestGuest guest = share.OpenGuest();
        share.WriteFile("file", "0123");
        FileHandle handle = guest.Open(guest.Lookup("file").Node, OpenFlags.O_WRONLY | OpenFlags.O_APPEND);
        Assert.Equal("0123", guest.Read(handle));
        TestGuest.Expect(guest.TryWrite(handle, "x", 1, FuseWriteFlags.Cache, OpenFlags.O_WRONLY | OpenFlags.O_APPEND));
        Assert.Equal("0x23", File.ReadAllText(share.Path("file")));
    }

    [Fact]
    public void A_read_only_share_refuses_every_change()
    {
        using TestShare share = new();
        share.WriteFile("file", "text");
        using TestGuest guest = new(new ReadOnlyFileSystem(share.Share.OpenSession()));
        NodeId node = guest.Lookup("file").Node;
        Errno[] results =
        [
            guest.TryOpen(node, OpenFlags.O_WRONLY, out _),
            guest.TryOpen(node, OpenFlags.O_RDONLY | OpenFlags.O_TRUNC, out _),
            guest.TryCreate(NodeId.Root, "new", OpenFlags.O_RDWR, out _, out _),
            guest.TryMakeDirectory(NodeId.Root, "new", out _),
            guest.TryMakeNode(NodeId.Root, "new", StatFlags.S_IFREG, 0, out _),
            guest.TrySymlink(NodeId.Root, "new", "x", out _),
            guest.TryLink(node, NodeId.Root, "new", out _),
            guest.TryUnlink(NodeId.Root, "file"),
            guest.TryRemoveDirectory(NodeId.Root, "file"),
            guest.TryRename(NodeId.Root, "file", NodeId.Root, "new"),
            guest.TrySetAttributes(node, new AttributeChange { Valid = FuseSetAttrValid.Size }, out _),
            guest.TrySetXattr(node, "user.a", "b"),
            guest.TryRemoveXattr(node, "user.a"),
            guest.Files.CreateTemporary(TestGuest.Root, NodeId.Root, OpenFlags.O_RDWR, 0x180, out _, out _),
            guest.Files.CheckAccess(TestGuest.Root, node, 2),
        ];
        Assert.All(results, errno => Assert.Equal(Errno.EROFS, errno));
        FileHandle handle = guest.Open(node, OpenFlags.O_RDONLY);
        Assert.Equal(Errno.EROFS, guest.TryWrite(handle, "x", 0));
        Assert.Equal(Errno.EROFS, guest.Files.Allocate(TestGuest.Root, handle, 0, 0, 1));
        Assert.Equal(Errno.EROFS, guest.Files.CopyRange(TestGuest.Root, handle, 0, handle, 2, 1, out _));
        TestGuest.Expect(guest.TryCreate(NodeId.Root, "file", OpenFlags.O_RDONLY, out _, out handle));
        Assert.Equal("text", guest.Read(handle));
        Assert.Equal(["file"], Directory.GetFileSystemEntries(share.Directory).Select(Path.GetFileName));
    }

    /// <summary>Small file systems in loop devices, with handles of their own kinds.</summary>
    [Theory]
    [InlineData("mkfs.ext4 -q -F")]
    [InlineData("mkfs.xfs -q -f")]
    public void Other_file_systems(string makeFileSystem)
    {
        using LoopFileSystem disk = new(makeFileSystem);
        using TestShare share = new(o => o with { InodeFileHandles = InodeFileHandles.Mandatory }, disk.Directory);
        TestGuest guest = share.OpenGuest();
        (Entry entry, FileHandle handle) = guest.Create(NodeId.Root, "file");
        TestGuest.Expect(guest.TryWrite(handle, "data", 0));
        Assert.Equal(entry.Node, guest.Lookup("file").Node);
        TestGuest.Expect(guest.TryUnlink(NodeId.Root, "file"));
        Assert.Equal("data", guest.Read(guest.Open(entry.Node, OpenFlags.O_RDONLY)));
        Assert.NotEqual(entry.Node, guest.Create(NodeId.Root, "file").Entry.Node);
    }
}
