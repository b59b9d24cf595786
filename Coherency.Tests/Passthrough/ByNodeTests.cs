using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>What sessions that do without opens do to a real directory: every operation with handle 0.</summary>
[Trait("Category", "Root")]
public sealed unsafe class ByNodeTests : IDisposable
{
    private readonly TestShare _share = new();
    private readonly TestGuest _guest;
    private readonly NodeId _node;

    public ByNodeTests()
    {
        _share.WriteFile("file", "0123456789");
        _guest = _share.OpenGuestWithoutOpens();
        _node = _guest.Lookup("file").Node;
    }

    private FileTarget File => new(_node, default);

    public void Dispose() => _share.Dispose();

    [Fact]
    public void Opening_is_not_offered_any_more()
    {
        Assert.Equal(Errno.ENOSYS, _guest.TryOpen(_node, OpenFlags.O_RDONLY, out _));
        Assert.Equal(Errno.ENOSYS, _guest.Files.OpenDirectory(NodeId.Root, out _));
        Assert.True(_guest.Files.TryDoWithoutOpens());
    }

    [Fact]
    public void Handle_zero_is_bad_where_files_are_opened()
    {
        TestGuest opening = _share.OpenGuest();
        FileTarget file = new(opening.Lookup("file").Node, default);
        Assert.Equal(Errno.EBADF, opening.TryWrite(file, "x", 0));
        Assert.Equal(Errno.EBADF, opening.Files.Sync(file, false));
        Assert.Equal(Errno.EBADF, opening.Files.Flush(file, 1));
        Assert.Equal(Errno.EBADF, opening.Files.GetAttributes(file.Node, file.Handle, out _));
        Assert.Equal(Errno.EBADF, opening.Files.ReadDirectory(new FileTarget(NodeId.Root, default), 0, false, new ListingSink(4096)));
        Assert.Equal(Errno.EBADF, opening.Files.SetFlock(file, 1, LockFlags.F_RDLCK));
    }

    [Fact]
    public void Data_is_read_and_written()
    {
        Assert.Equal("0123456789", _guest.Read(File));
        Assert.Equal("56789", _guest.Read(File, 5));
        TestGuest.Expect(_guest.TryWrite(File, "abc", 8));
        Assert.Equal("01234567abc", _guest.Read(File));
        Assert.Equal(Errno.EINVAL, _guest.TryWrite(File, "x", -1));
        TestGuest.Expect(_guest.TryWrite(File, "!", 0, openFlags: OpenFlags.O_WRONLY | OpenFlags.O_APPEND));
        Assert.Equal("01234567abc!", System.IO.File.ReadAllText(_share.Path("file")));
        TestGuest.Expect(_guest.TryWrite(File, "s", 0, openFlags: OpenFlags.O_SYNC));
        TestGuest.Expect(_guest.TryWrite(File, "S", 1, openFlags: OpenFlags.O_DSYNC));
        Assert.Equal("sS234567abc!", _guest.Read(File));
    }

    [Fact]
    public void The_other_operations_of_an_open_file_work()
    {
        IFileSystem files = _guest.Files;
        TestGuest.Expect(files.Sync(File, false));
        TestGuest.Expect(files.Sync(File, true));
        TestGuest.Expect(files.Flush(File, 1));
        TestGuest.Expect(files.Allocate(TestGuest.Root, File, 0, 0, 100));
        TestGuest.Expect(files.GetAttributes(_node, default(FileHandle), out statx attributes));
        Assert.Equal(100UL, attributes.stx_size);
        AttributeChange shorter = new() { Valid = FuseSetAttrValid.Size | FuseSetAttrValid.Fh, Size = 4 };
        TestGuest.Expect(_guest.TrySetAttributes(_node, shorter, out attributes));
        Assert.Equal(4UL, attributes.stx_size);
        TestGuest.Expect(files.Seek(File, 0, 4, out long hole));
        Assert.Equal(4, hole);
        Assert.Equal(Errno.EINVAL, files.Seek(File, 0, 0, out _));
        _share.WriteFile("copy", "");
        FileTarget copy = new(_guest.Lookup("copy").Node, default);
        TestGuest.Expect(files.CopyRange(TestGuest.Root, File, 1, copy, 0, 2, out long copied));
        Assert.Equal((2, "12"), (copied, _guest.Read(copy)));
        TestGuest.Expect(files.Release(File, FuseReleaseFlags.Flush | FuseReleaseFlags.FlockUnlock, 1));
        TestGuest.Expect(files.SyncDirectory(new FileTarget(NodeId.Root, default), false));
        TestGuest.Expect(files.ReleaseDirectory(new FileTarget(NodeId.Root, default)));
    }

    [Fact]
    public void Making_a_file_opens_nothing_for_good()
    {
        (Entry made, FileHandle handle) = _guest.Create(NodeId.Root, "made");
        TestGuest.Expect(
            _guest.TryCreate(NodeId.Root, "file", OpenFlags.O_RDWR | OpenFlags.O_TRUNC, out Entry found, out FileHandle other));
        Assert.Equal((default, default), (handle, other));
        Assert.Equal(0UL, found.Attributes.stx_size);
        Assert.Equal(0, ((PassthroughFileSystem)_guest.Files).OpenHandles);
        TestGuest.Expect(_guest.TryWrite(new FileTarget(made.Node, default), "made", 0));
        Assert.Equal("made", System.IO.File.ReadAllText(_share.Path("made")));
    }

    [Fact]
    public void A_file_without_a_name_lives_until_it_is_forgotten()
    {
        TestGuest.Expect(
            _guest.Files.CreateTemporary(TestGuest.Root, NodeId.Root, OpenFlags.O_RDWR, 0x180, out Entry made, out FileHandle handle));
        Assert.Equal(default, handle);
        FileTarget file = new(made.Node, default);
        TestGuest.Expect(_guest.TryWrite(file, "nameless", 0));
        Assert.Equal("nameless", _guest.Read(file));
        TestGuest.Expect(_guest.TryLink(made.Node, NodeId.Root, "named", out _));
        Assert.Equal("nameless", System.IO.File.ReadAllText(_share.Path("named")));
    }

    [Fact]
    public void Nodes_that_are_not_held_are_stale()
    {
        ExpectStale(new NodeId(0xDEAD_BEEF_0BAD_CAFE));
        ExpectStale(default);
        _guest.Read(File);
        _guest.Files.Forget(_node, 1);
        ExpectStale(_node);
    }

    [Fact]
    public void What_is_no_regular_file_is_not_opened()
    {
        TestGuest.Expect(_guest.TryMakeNode(NodeId.Root, "fifo", StatFlags.S_IFIFO | 0x1A4, 0, out Entry fifo));
        TestGuest.Expect(_guest.TrySymlink(NodeId.Root, "link", "file", out Entry link));
        Assert.Equal(Errno.ENXIO, _guest.TryWrite(new FileTarget(fifo.Node, default), "x", 0));
        Assert.Equal(Errno.ENXIO, _guest.Files.Sync(new FileTarget(fifo.Node, default), false));
        Assert.Equal(Errno.ELOOP, _guest.TryWrite(new FileTarget(link.Node, default), "x", 0));
        Assert.Equal(Errno.EISDIR, _guest.Files.Sync(new FileTarget(NodeId.Root, default), false));
        Assert.Equal(Errno.ENOTDIR, _guest.Files.ReadDirectory(File, 0, false, new ListingSink(4096)));
        Assert.Equal(Errno.ENOTDIR, _guest.Files.SyncDirectory(File, false));
    }

    [Fact]
    public void A_share_that_is_read_only_refuses_every_change()
    {
        using TestGuest reading = new(new ReadOnlyFileSystem(_share.Share.OpenSession()));
        Assert.True(reading.Files.IsReadOnly);
        Assert.True(reading.Files.TryDoWithoutOpens());
        FileTarget file = new(reading.Lookup("file").Node, default);
        Assert.Equal("0123456789", reading.Read(file));
        Assert.Equal(Errno.EROFS, reading.TryWrite(file, "x", 0));
        Assert.Equal(Errno.EROFS, reading.Files.Allocate(TestGuest.Root, file, 0, 0, 1));
        Assert.Equal(Errno.EROFS, reading.Files.CopyRange(TestGuest.Root, file, 0, file, 2, 1, out _));
        TestGuest.Expect(reading.TryCreate(NodeId.Root, "file", OpenFlags.O_RDONLY, out _, out FileHandle handle));
        Assert.Equal(default, handle);
        Assert.Equal(Errno.EROFS, reading.TryCreate(NodeId.Root, "file", OpenFlags.O_RDWR, out _, out _));
    }

    private void ExpectStale(NodeId node)
    {
        FileTarget file = new(node, default);
        IFileSystem files = _guest.Files;
        byte stored = 0;
        IoVec vector = new(&stored, 1);
        FileLock wanted = new() { Type = LockFlags.F_RDLCK, End = long.MaxValue };
        Assert.Equal(Errno.ESTALE, files.Read(file, &vector, 1, 0, mayWait: true, out _));
        Assert.Equal(Errno.ESTALE, files.Write(TestGuest.Root, file, &vector, 1, 0, FuseWriteFlags.None, out _));
        Assert.Equal(Errno.ESTALE, files.Sync(file, false));
        Assert.Equal(Errno.ESTALE, files.SyncDirectory(file, false));
        Assert.Equal(Errno.ESTALE, files.Allocate(TestGuest.Root, file, 0, 0, 1));
        Assert.Equal(Errno.ESTALE, files.Seek(file, 0, 3, out _));
        Assert.Equal(Errno.ESTALE, files.CopyRange(TestGuest.Root, file, 0, file, 0, 1, out _));
        Assert.Equal(Errno.ESTALE, files.ReadDirectory(file, 0, true, new ListingSink(4096)));
        Assert.Equal(Errno.ESTALE, files.GetAttributes(node, default(FileHandle), out _));
        Assert.Equal(
            Errno.ESTALE,
            _guest.TrySetAttributes(node, new AttributeChange { Valid = FuseSetAttrValid.Size | FuseSetAttrValid.Fh }, out _));
        Assert.Equal(Errno.ESTALE, files.GetLock(file, 1, ref wanted));
        Assert.Equal(Errno.ESTALE, files.SetLock(file, 1, wanted));
        Assert.Equal(Errno.ESTALE, files.SetFlock(file, 1, LockFlags.F_RDLCK));
    }
}
