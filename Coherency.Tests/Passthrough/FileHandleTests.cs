using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>Inodes by handle, after the session has forgotten them, and what a guest must not reach by one.</summary>
[Trait("Category", "Root")]
public sealed class FileHandleTests : IDisposable
{
    private readonly TestShare _share = new();
    private readonly TestGuest _guest;

    public FileHandleTests()
    {
        _share.WriteFile("file", "content");
        Directory.CreateDirectory(_share.Path("upper/lower"));
        _guest = _share.OpenGuest();
    }

    public void Dispose() => _share.Dispose();

    [Theory]
    [InlineData("file")]
    [InlineData("upper/lower")]
    public void A_forgotten_inode_is_found_by_its_handle_and_can_then_be_looked_up(string path)
    {
        NodeId node = _guest.Lookup(path).Node;
        byte[] handle = HandleOf(node);
        Forget(path);
        Assert.Equal(Errno.ESTALE, _guest.Files.LookupNode(node, out _));
        Assert.Equal(Errno.None, Find(_guest, handle, out NodeId found));
        Assert.Equal(node, found);
        TestGuest.Expect(_guest.Files.LookupNode(found, out Entry entry));
        Assert.Equal(node, entry.Node);
        Assert.False(entry.IsSubmount);
        Assert.Equal(handle, HandleOf(node));
    }

    [Fact]
    public void The_roots_handle_is_found_as_the_root()
    {
        Assert.Equal(Errno.None, Find(_guest, HandleOf(NodeId.Root), out NodeId root));
        Assert.Equal(NodeId.Root, root);
        TestGuest.Expect(_guest.Files.LookupNode(root, out Entry entry));
        Assert.Equal(NodeId.Root, entry.Node);
        Assert.Equal(0, _guest.Files is PassthroughFileSystem files ? files.HeldInodes : -1);
    }

    [Fact]
    public void A_removed_inode_is_stale_even_while_somebody_else_holds_it()
    {
        TestGuest other = _share.OpenGuest();
        other.Open(other.Lookup("file").Node, OpenFlags.O_RDONLY);
        byte[] handle = HandleOf(_guest.Lookup("file").Node);
        File.Delete(_share.Path("file"));
        Assert.Equal(Errno.ESTALE, Find(_guest, handle, out _));
    }

    [Fact]
    public void Every_bit_and_every_byte_of_a_handle_counts()
    {
        byte[] handle = HandleOf(_guest.Lookup("file").Node);
        for (int bit = 0; bit < handle.Length * 8; bit++)
        {
            byte[] changed = [.. handle];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            ExpectStale(changed);
        }

        for (int length = 0; length < handle.Length; length++)
        {
            ExpectStale(handle[..length]);
        }

        ExpectStale([.. handle, 0]);
        ExpectStale([.. handle, 0, 0, 0, 0]);
        ExpectStale(new byte[VersionTableConstants.HandleBytesMax]);
        ExpectStale(new byte[HandleSeal.HeaderBytes + file_handle.MaxBytes + 1]);
        Assert.Equal(Errno.None, Find(_guest, handle, out _));
    }

    /// <summary>What the seal is for: the kernel would open this handle.</summary>
    [Fact]
    public unsafe void A_handle_of_what_is_outside_of_the_share_cannot_be_made_from_one_of_the_share()
    {
        byte[] handle = HandleOf(_guest.Lookup("file").Node);
        FileIdentity outside = new();
        string path = Path.GetTempFileName();
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + '\0'))
        {
            Assert.True(outside.ReadHandle(OpenFlags.AT_FDCWD, name, 0, out _) >= 0);
        }

        File.Delete(path);
        Assert.Equal(handle[HandleSeal.HeaderBytes..].Length, outside.Length);
        ExpectStale([.. handle[..HandleSeal.HeaderBytes], .. outside.Bytes]);
    }

    /// <summary>A length that comes with an error may be longer than the room for a handle.</summary>
    [Fact]
    public unsafe void A_handle_that_could_not_be_had_is_empty()
    {
        FileIdentity identity = new();
        fixed (byte* name = "/nothing/is/here\0"u8)
        {
            Assert.Equal(-(int)Errno.ENOENT, identity.ReadHandle(OpenFlags.AT_FDCWD, name, 0, out _));
        }

        Assert.True(identity.Bytes.IsEmpty);
    }

    [Fact]
    public void A_handle_opens_nothing_in_another_share_of_the_same_file_system_and_key()
    {
        byte[] key = new byte[PassthroughOptions.HandleKeyBytes];
        using TestShare one = new(options => options with { HandleKey = key });
        one.WriteFile("file");
        byte[] handle = HandleOf(one.OpenGuest(), "file");
        using TestShare other = new(options => options with { HandleKey = key });
        Assert.Equal(Errno.ESTALE, Find(other.OpenGuest(), handle, out _));
        Assert.Equal(Errno.None, Find(one.OpenGuest(), handle, out _));
    }

    [Fact]
    public void A_handle_outlives_the_daemon_with_its_key()
    {
        byte[] key = [.. Enumerable.Range(0, PassthroughOptions.HandleKeyBytes).Select(i => (byte)i)];
        byte[] handle;
        PassthroughOptions options = _share.Share.Options with { HandleKey = key };
        using (PassthroughShare before = new(options))
        using (TestGuest guest = new(before.OpenSession()))
        {
            handle = HandleOf(guest, "file");
        }

        ExpectStale(handle);
        using PassthroughShare after = new(options);
        using TestGuest again = new(after.OpenSession());
        Assert.Equal(Errno.None, Find(again, handle, out NodeId node));
        TestGuest.Expect(again.Files.LookupNode(node, out _));
        Assert.Equal("content", again.Read(again.Open(node, OpenFlags.O_RDONLY)));
    }

    /// <summary>Of two mounts of one file system, one may take no changes.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_handle_is_of_the_mount_that_it_was_found_on(bool announce)
    {
        using TestShare share = new(options => options with { AnnounceSubmounts = announce });
        string elsewhere = Directory.CreateTempSubdirectory("coherency-elsewhere-").FullName;
        File.WriteAllText(Path.Combine(elsewhere, "file"), "mounted");
        using TemporaryMount mount = new(share.Path("mounted"), elsewhere, null);
        using TestGuest guest = new(share.Share.OpenSession());
        NodeId root = guest.Lookup("mounted").Node;
        byte[] handle = HandleOf(guest, "mounted/file");
        Assert.Equal(announce ? Errno.ESTALE : Errno.None, Find(guest, handle, out NodeId found));
        if (announce)
        {
            Assert.Equal(Errno.None, Find(guest, handle, out found, root));
        }

        Assert.Equal(guest.Lookup("mounted/file").Node, found);
        Directory.Delete(elsewhere, recursive: true);
    }

    [Fact]
    public void What_has_no_lasting_id_has_no_handle()
    {
        Directory.CreateDirectory(_share.Path("original"));
        File.WriteAllText(_share.Path("original/file"), "same");
        using TemporaryMount mount = new(_share.Path("bound"), _share.Path("original"), null);
        using TestGuest guest = new(_share.Share.OpenSession());
        guest.Lookup("original/file");
        Assert.Equal(Errno.ENODATA, guest.Files.GetHandle(guest.Lookup("bound/file").Node, [], out _));
    }

    [Fact]
    public void Only_what_the_session_holds_is_looked_up_or_has_a_handle()
    {
        NodeId node = _guest.Lookup("file").Node;
        TestGuest other = _share.OpenGuest();
        Assert.Equal(Errno.ESTALE, other.Files.LookupNode(node, out _));
        Assert.Equal(Errno.ESTALE, other.Files.LookupParent(node, out _));
        Assert.Equal(Errno.ESTALE, other.Files.GetHandle(node, [], out _));
        Assert.Equal(Errno.None, Find(_guest, HandleOf(node), out _));
        Assert.Equal(Errno.ESTALE, other.Files.LookupNode(node, out _));
    }

    [Fact]
    public void A_directory_leads_up_to_the_root_and_no_further()
    {
        TestGuest.Expect(_guest.Files.LookupParent(_guest.Lookup("upper/lower").Node, out Entry upper));
        Assert.Equal(_guest.Lookup("upper").Node, upper.Node);
        TestGuest.Expect(_guest.Files.LookupParent(upper.Node, out Entry root));
        Assert.Equal(NodeId.Root, root.Node);
        TestGuest.Expect(_guest.Files.LookupParent(NodeId.Root, out root));
        Assert.Equal(NodeId.Root, root.Node);
        Assert.Equal(Errno.ENOTDIR, _guest.Files.LookupParent(_guest.Lookup("file").Node, out _));
    }

    [Fact]
    public void A_directory_that_a_host_program_has_moved_away_leads_nowhere()
    {
        NodeId lower = _guest.Lookup("upper/lower").Node;
        string outside = Directory.CreateTempSubdirectory("coherency-outside-").FullName;
        Directory.Move(_share.Path("upper"), Path.Combine(outside, "upper"));
        Assert.Equal(Errno.ESTALE, _guest.Files.LookupParent(lower, out _));
        // Nothing stays open on the way up.
        Assert.DoesNotContain(Directory.GetFiles("/proc/self/fd"), descriptor => new FileInfo(descriptor).LinkTarget == outside);
        Directory.Delete(outside, recursive: true);
    }

    [Fact]
    public void A_guest_that_never_looks_up_what_it_names_keeps_no_more_than_some_of_it()
    {
        const int files = 3000;
        const int most = 1100;
        TestGuest hostile = new(_share.Share.OpenSession());
        int before = _share.Share.InodeCount;
        List<byte[]> handles = [];
        for (int i = 0; i < files; i++)
        {
            _share.WriteFile($"{i}");
            NodeId node = hostile.Lookup($"{i}").Node;
            handles.Add(HandleOf(hostile, node));
            hostile.Files.Forget(node, 1);
        }

        Assert.Equal(before, _share.Share.InodeCount);
        // Each twice: the second time must not outlive the first.
        foreach (byte[] handle in handles.Concat(handles.Take(100)).Concat(handles.Take(100)))
        {
            Assert.Equal(Errno.None, Find(hostile, handle, out _));
        }

        Assert.InRange(_share.Share.InodeCount, before + 1, before + most);
        hostile.Dispose();
        Assert.Equal(before, _share.Share.InodeCount);
        Assert.Equal(Errno.ESTALE, Find(_guest, [], out _));
    }

    private void Forget(string path)
    {
        Entry entry = new() { Node = NodeId.Root };
        List<NodeId> nodes = [];
        foreach (string name in path.Split('/'))
        {
            TestGuest.Expect(_guest.TryLookup(entry.Node, name, out entry));
            nodes.Add(entry.Node);
        }

        nodes.ForEach(node => _guest.Files.Forget(node, ulong.MaxValue));
    }

    private byte[] HandleOf(NodeId node) => HandleOf(_guest, node);

    private static byte[] HandleOf(TestGuest guest, string path) => HandleOf(guest, guest.Lookup(path).Node);

    private static byte[] HandleOf(TestGuest guest, NodeId node)
    {
        TestGuest.Expect(guest.Files.GetHandle(node, [], out int needed));
        byte[] handle = new byte[needed];
        Assert.Equal(Errno.ERANGE, guest.Files.GetHandle(node, handle.AsSpan(1), out _));
        TestGuest.Expect(guest.Files.GetHandle(node, handle, out int length));
        Assert.Equal(needed, length);
        Assert.Equal(0, length % sizeof(uint));
        return handle;
    }

    private static Errno Find(TestGuest guest, byte[] handle, out NodeId node, NodeId? root = null) =>
        guest.Files.FindByHandle(root ?? NodeId.Root, handle, out node);

    private void ExpectStale(byte[] handle) => Assert.Equal(Errno.ESTALE, Find(_guest, handle, out _));
}
