using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>What belongs to a session, and how long things live.</summary>
[Collection(TimedTests.Name)]
public sealed class SessionTests
{
    [Fact]
    public void A_node_id_means_something_only_to_the_session_it_was_given_to()
    {
        using TestShare share = new();
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        share.WriteFile("file");
        NodeId node = a.Lookup("file").Node;
        FileHandle handle = a.Open(node, OpenFlags.O_RDONLY);

        Assert.Equal(Errno.ESTALE, b.Files.GetAttributes(node, null, out _));
        Assert.Equal(Errno.ESTALE, b.TryOpen(node, OpenFlags.O_RDONLY, out _));
        Assert.Equal(Errno.ESTALE, b.TryLookup(node, "x", out _));
        Assert.Equal(Errno.EBADF, b.Files.GetAttributes(NodeId.Root, handle, out _));
        Assert.Equal(Errno.ESTALE, a.Files.GetAttributes(new NodeId(share.Share.RootKey), null, out _));
        Assert.Equal(Errno.ESTALE, a.Files.GetAttributes(new NodeId(0), null, out _));
        Assert.Equal(Errno.ESTALE, a.Files.GetAttributes(new NodeId(ulong.MaxValue), null, out _));
    }

    [Fact]
    public void Forgetting_more_than_was_given_does_no_harm()
    {
        using TestShare share = new();
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        share.WriteFile("file");
        NodeId node = a.Lookup("file").Node;
        Assert.Equal(node, b.Lookup("file").Node);
        Assert.Equal(2, share.Share.InodeCount);
        a.Files.Forget(node, ulong.MaxValue);
        a.Files.Forget(node, 1);
        a.Files.Forget(NodeId.Root, 5);
        a.Files.Forget(new NodeId(0), 1);
        Assert.Equal(Errno.ESTALE, a.Files.GetAttributes(node, null, out _));
        b.Stat(node);
        b.Files.Forget(node, 1);
        Assert.Equal(1, share.Share.InodeCount);
        a.Stat(NodeId.Root);
    }

    [Fact]
    public void Handles_have_generations_and_kinds()
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        FileHandle first = guest.Create(NodeId.Root, "file").Handle;
        guest.Release(first);
        Assert.Equal(Errno.EBADF, guest.Files.Release(first, FuseReleaseFlags.None, 0));
        FileHandle second = guest.Open(guest.Lookup("file").Node, OpenFlags.O_RDWR);
        Assert.Equal((uint)first.Value, (uint)second.Value);
        Assert.Equal(Errno.EBADF, guest.TryWrite(first, "x", 0));
        Assert.Equal(Errno.EBADF, guest.Files.ReleaseDirectory(second));
        TestGuest.Expect(guest.Files.OpenDirectory(NodeId.Root, out FileHandle directory));
        Assert.Equal(Errno.EBADF, guest.TryWrite(directory, "x", 0));
        Assert.Equal(Errno.EBADF, guest.Files.Release(directory, FuseReleaseFlags.None, 0));
        Assert.Equal(Errno.EBADF, guest.Files.Sync(new FileHandle(ulong.MaxValue), false));
        TestGuest.Expect(guest.Files.ReleaseDirectory(directory));
    }

    [Theory]
    [InlineData(InodeFileHandles.Prefer)]
    [InlineData(InodeFileHandles.Never)]
    public void The_end_of_a_session_gives_everything_back(InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { InodeFileHandles = handles });
        TestGuest staying = share.OpenGuest();
        for (int i = 0; i < 20; i++)
        {
            share.WriteFile($"{i}");
        }

        FileHandle kept = staying.Open(staying.Lookup("0").Node, OpenFlags.O_RDWR);
        int budget = share.Budget.Used;
        int inodes = share.Share.InodeCount;
        int descriptors = handles == InodeFileHandles.Never ? TestShare.OpenDescriptors : 0;
        for (int round = 0; round < 3; round++)
        {
            using TestGuest leaving = new(share.Share.OpenSession());
            for (int i = 1; i < 20; i++)
            {
                NodeId node = leaving.Lookup($"{i}").Node;
                FileHandle handle = leaving.Open(node, OpenFlags.O_RDWR);
                TestGuest.Expect(leaving.Files.SetLock(handle, 1, new FileLock { Type = LockFlags.F_WRLCK, End = long.MaxValue }));
                TestGuest.Expect(leaving.Files.SetFlock(handle, 1, LockFlags.F_WRLCK));
                TestGuest.Expect(leaving.TryUnlink(NodeId.Root, $"{i}"));
                share.WriteFile($"{i}");
            }

            Assert.True(share.Budget.Used > budget);
        }

        Assert.Equal((budget, inodes), (share.Budget.Used, share.Share.InodeCount));
        if (handles == InodeFileHandles.Never)
        {
            Assert.InRange(TestShare.OpenDescriptors, descriptors - 10, descriptors + 10);
        }

        TestGuest.Expect(staying.TryWrite(kept, "still here", 0));
        TestGuest.Expect(staying.Files.SetFlock(kept, 1, LockFlags.F_WRLCK));
    }

    [Theory]
    [InlineData("/tmp", InodeFileHandles.Mandatory)]
    [InlineData("/dev/shm", InodeFileHandles.Mandatory)]
    [InlineData("/tmp", InodeFileHandles.Never)]
    public void What_one_guest_unlinks_stays_usable_to_those_who_hold_it(string parent, InodeFileHandles handles)
    {
        using TestShare share = new(o => o with { InodeFileHandles = handles }, parent);
        TestGuest a = share.OpenGuest();
        TestGuest b = share.OpenGuest();
        share.WriteFile("open", "one");
        share.WriteFile("known", "two");
        share.WriteFile("replaced", "three");
        Directory.CreateDirectory(share.Path("directory"));
        FileHandle open = b.Open(b.Lookup("open").Node, OpenFlags.O_RDWR);
        NodeId known = b.Lookup("known").Node;
        NodeId replaced = b.Lookup("replaced").Node;
        NodeId directory = b.Lookup("directory").Node;
        TestGuest.Expect(a.TryUnlink(NodeId.Root, "known"));
        TestGuest.Expect(a.TryRename(NodeId.Root, "open", NodeId.Root, "replaced"));
        TestGuest.Expect(a.TryUnlink(NodeId.Root, "replaced"));
        TestGuest.Expect(a.TryRemoveDirectory(NodeId.Root, "directory"));

        Assert.Equal("one", b.Read(open));
        Assert.Equal(0u, b.Stat(known).stx_nlink);
        Assert.Equal("two", b.Read(b.Open(known, OpenFlags.O_RDONLY)));
        Assert.Equal("three", b.Read(b.Open(replaced, OpenFlags.O_RDONLY)));
        TestGuest.Expect(b.TrySetAttributes(known, new AttributeChange { Valid = FuseSetAttrValid.Size, Size = 1 }, out statx after));
        Assert.Equal(1UL, after.stx_size);
        Assert.Equal(StatFlags.S_IFDIR, b.Stat(directory).stx_mode & StatFlags.S_IFMT);
        Assert.Equal(Errno.ENOENT, b.TryCreate(directory, "x", OpenFlags.O_RDWR, out _, out _));
    }

    [Theory]
    [InlineData(InodeFileHandles.Prefer)]
    [InlineData(InodeFileHandles.Never)]
    public void Too_many_open_files_is_an_error_and_one_line_for_the_log(InodeFileHandles handles)
    {
        DescriptorBudget budget = new(60);
        List<string> log = [];
        budget.Exhausted += log.Add;
        using TestShare share = new(
            o => o with { Budget = budget, CachedDescriptorsMax = 8, InodeFileHandles = handles, OpenFilesPerSessionMax = 1000 });
        TestGuest guest = share.OpenGuest();
        TestGuest.Expect(guest.Files.OpenDirectory(NodeId.Root, out FileHandle directory));
        for (int i = 0; i < 100; i++)
        {
            share.WriteFile($"{i}");
        }

        Errno[] results = [.. Enumerable.Range(0, 100).Select(i => Open(guest, $"{i}"))];
        Assert.Contains(Errno.ENFILE, results);
        Assert.All(results, errno => Assert.True(errno is Errno.None or Errno.ENFILE));
        Assert.Single(log);
        // Nothing is missing from a listing, whatever the budget.
        Assert.Equal(102, guest.List(directory).Count);
    }

    private static Errno Open(TestGuest guest, string name)
    {
        Errno errno = guest.TryLookup(NodeId.Root, name, out Entry entry);
        return errno == Errno.None ? guest.TryOpen(entry.Node, OpenFlags.O_RDONLY, out _) : errno;
    }

    [Fact]
    public void One_session_cannot_take_all_open_files()
    {
        using TestShare share = new(o => o with { OpenFilesPerSessionMax = 3 });
        TestGuest greedy = share.OpenGuest();
        share.WriteFile("file");
        NodeId node = greedy.Lookup("file").Node;
        FileHandle[] open = [.. Enumerable.Range(0, 3).Select(_ => greedy.Open(node, OpenFlags.O_RDONLY))];
        Assert.Equal(Errno.ENFILE, greedy.TryOpen(node, OpenFlags.O_RDONLY, out _));
        TestGuest other = share.OpenGuest();
        other.Open(other.Lookup("file").Node, OpenFlags.O_RDONLY);
        greedy.Release(open[0]);
        greedy.Open(node, OpenFlags.O_RDONLY);
    }

    [Fact]
    public void A_directory_that_cannot_be_shared_is_one_line()
    {
        ShareException missing = Assert.Throws<ShareException>(
            () => new PassthroughShare(new PassthroughOptions { SharedDirectory = "/no/such" }));
        Assert.Equal("cannot share '/no/such': No such file or directory", missing.Message);
        ShareException file = Assert.Throws<ShareException>(
            () => new PassthroughShare(new PassthroughOptions { SharedDirectory = "/etc/passwd" }));
        Assert.Equal("cannot share '/etc/passwd': Not a directory", file.Message);
        ShareException noHandles = Assert.Throws<ShareException>(
            () => new PassthroughShare(
                new PassthroughOptions { SharedDirectory = "/proc", InodeFileHandles = InodeFileHandles.Mandatory }));
        Assert.Contains("file handles are mandatory", noHandles.Message, StringComparison.Ordinal);
    }
}
