using System.Security.Cryptography;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Virtio;
using Coherency.Guest;
using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;

namespace Coherency.Tests.Guest;

/// <summary>
/// What a guest does with a share, whichever daemon serves it: a derived class says how to start one. What the guest did is
/// checked on the host's side of the directory, so that a client and a daemon with the same error cannot agree.
/// </summary>
public abstract class GuestScenarios : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("coherency-guest-").FullName;
    private readonly List<IDisposable> _daemons = [];

    /// <summary>The shared directory on the host.</summary>
    protected string Share => Directory.CreateDirectory(Path.Combine(_directory, "share")).FullName;

    /// <summary>Starts a daemon that shares <see cref="Share"/> at a socket.</summary>
    protected abstract IDisposable StartDaemon(string socketPath);

    public void Dispose()
    {
        _daemons.ForEach(daemon => daemon.Dispose());
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected VirtioFsGuest ConnectGuest(FrontendOptions? options = null, FuseConnectionOptions? fuseOptions = null)
    {
        string socket = Path.Combine(_directory, $"guest{_daemons.Count}.sock");
        _daemons.Add(StartDaemon(socket));
        return VirtioFsGuest.Connect(socket, options, fuseOptions);
    }

    protected string HostPath(string path) => Path.Combine(Share, path.TrimStart('/'));

    [Fact]
    public void Init_agrees_on_the_protocol()
    {
        using VirtioFsGuest guest = ConnectGuest();
        Assert.Equal(7u, guest.Connection.Protocol.major);
        Assert.InRange(guest.Connection.Protocol.minor, 31u, 45u);
        Assert.True(guest.Connection.WriteBytesMax >= 1 << 20);
    }

    [Fact]
    public void What_the_guest_writes_is_on_the_host()
    {
        using VirtioFsGuest guest = ConnectGuest();
        byte[] data = RandomNumberGenerator.GetBytes(3_000_001);
        guest.Files.CreateDirectory("/dir");
        guest.Files.WriteAllBytes("/dir/file", data);
        Assert.Equal(data, File.ReadAllBytes(HostPath("/dir/file")));
    }

    [Fact]
    public void What_the_host_writes_is_in_the_guest()
    {
        byte[] data = RandomNumberGenerator.GetBytes(1_048_577);
        File.WriteAllBytes(HostPath("/file"), data);
        using VirtioFsGuest guest = ConnectGuest();
        Assert.Equal(data, guest.Files.ReadAllBytes("/file"));
        Assert.Equal(data.Length, guest.Files.Stat("/file").Size);
    }

    [Fact]
    public void A_shorter_text_leaves_nothing_of_the_longer()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Files.WriteAllBytes("/file", "something long"u8);
        guest.Files.WriteAllBytes("/file", "short"u8);
        Assert.Equal("short", File.ReadAllText(HostPath("/file")));
    }

    [Fact]
    public void Listings_are_complete()
    {
        using VirtioFsGuest guest = ConnectGuest();
        string[] names = [.. Enumerable.Range(0, 2_000).Select(i => $"file-with-a-longer-name-{i:d5}")];
        foreach (string name in names)
        {
            File.WriteAllText(HostPath(name), name);
        }

        Assert.Equal(names, guest.Files.List("/").Order());
        Dictionary<string, GuestFileStatus> withStatus = guest.Files.ListWithStatus("/");
        Assert.Equal(names, withStatus.Keys.Order());
        Assert.All(withStatus, entry => Assert.Equal(entry.Key.Length, entry.Value.Size));
    }

    [Fact]
    public void Entries_are_made_renamed_linked_and_removed()
    {
        using VirtioFsGuest guest = ConnectGuest();
        GuestFileSystem files = guest.Files;
        files.CreateDirectory("/a");
        files.CreateDirectory("/b");
        files.WriteAllBytes("/a/one", "1"u8);
        files.Rename("/a/one", "/b/two");
        files.Link("/b/two", "/a/three");
        files.Symlink("/a/link", "../b/two");

        Assert.False(files.Exists("/a/one"));
        Assert.Equal(2u, files.Stat("/a/three").Links);
        Assert.Equal("../b/two", files.ReadLink("/a/link"));
        Assert.Equal("1", File.ReadAllText(HostPath("/a/link")));

        files.DeleteFile("/a/link");
        files.DeleteFile("/a/three");
        files.DeleteDirectory("/a");
        Assert.Equal(["b"], files.List("/"));
    }

    [Fact]
    public void Rename_flags_are_obeyed()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Files.WriteAllBytes("/a", "a"u8);
        guest.Files.WriteAllBytes("/b", "b"u8);
        Assert.Equal(Errno.EEXIST, ErrorOf(() => guest.Files.Rename("/a", "/b", OpenFlags.RENAME_NOREPLACE)));
        guest.Files.Rename("/a", "/b", OpenFlags.RENAME_EXCHANGE);
        Assert.Equal("b", File.ReadAllText(HostPath("/a")));
    }

    [Fact]
    public void Attributes_change()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Files.WriteAllBytes("/file", "0123456789"u8);
        guest.Files.SetPermissions("/file", 0x1A0);
        guest.Files.Truncate("/file", 4);
        GuestFileStatus status = guest.Files.Stat("/file");
        Assert.Equal(0x1A0u, status.Permissions);
        Assert.Equal(4, status.Size);
        Assert.Equal("0123", File.ReadAllText(HostPath("/file")));
    }

    [Fact]
    public void Umask_and_owner_are_the_callers()
    {
        using VirtioFsGuest guest = ConnectGuest();
        GuestFileSystem someone = guest.Files.As(new CallerIdentity(Uid: 1234, Gid: 5678, Umask: 0x3F));
        guest.Files.SetPermissions("/", 0x1FF);
        someone.WriteAllBytes("/file", "x"u8);
        GuestFileStatus status = guest.Files.Stat("/file");
        Assert.Equal((1234u, 5678u), (status.Uid, status.Gid));
        Assert.Equal(0x180u, status.Permissions);
    }

    [Fact]
    public void Extended_attributes_round_trip()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Files.WriteAllBytes("/file", ""u8);
        guest.Files.SetXattr("/file", "user.colour", "blue"u8);
        Assert.Equal("blue", Encoding.UTF8.GetString(guest.Files.GetXattr("/file", "user.colour")));
        Assert.Contains("user.colour", guest.Files.ListXattr("/file"));
        using NodeReference node = guest.Files.Walk("/file");
        Assert.Equal(4, guest.Fuse.GetXattrLength(node.Node, "user.colour"u8));
        guest.Fuse.RemoveXattr(node.Node, "user.colour"u8);
        Assert.Equal(Errno.ENODATA, ErrorOf(() => guest.Fuse.GetXattr(node.Node, "user.colour"u8)));
    }

    [Fact]
    public void Space_is_allocated_and_holes_are_found()
    {
        using VirtioFsGuest guest = ConnectGuest();
        using GuestFile file = guest.Files.CreateFile("/file");
        file.Write(1 << 20, "data"u8);
        guest.Fuse.Fallocate(file.Node, file.Handle, mode: 0, offset: 4 << 20, length: 1 << 20);
        Assert.Equal(5 << 20, file.Status.Size);
        const uint SeekData = 3;
        Assert.Equal(1 << 20, guest.Fuse.LSeek(file.Node, file.Handle, 0, SeekData));
        file.Sync();
    }

    [Fact]
    public void A_range_is_copied_between_files()
    {
        using VirtioFsGuest guest = ConnectGuest();
        guest.Files.WriteAllBytes("/source", "hello world"u8);
        using GuestFile source = guest.Files.Open("/source");
        using GuestFile target = guest.Files.CreateFile("/target");
        long copied = guest.Fuse.CopyFileRange(
            new fuse_copy_file_range_in
            {
                fh_in = source.Handle.Value,
                off_in = 6,
                nodeid_out = target.Node.Value,
                fh_out = target.Handle.Value,
                len = 5,
            },
            source.Node);
        Assert.Equal(5, copied);
        Assert.Equal("world", File.ReadAllText(HostPath("/target")));
    }

    [Fact]
    public void Two_guests_share_one_directory()
    {
        using VirtioFsGuest first = ConnectGuest();
        using VirtioFsGuest second = ConnectGuest();
        first.Files.WriteAllBytes("/file", "from the first"u8);
        Assert.Equal("from the first"u8.ToArray(), second.Files.ReadAllBytes("/file"));
        second.Files.Rename("/file", "/renamed");
        Assert.True(first.Files.Exists("/renamed"));
    }

    [Fact]
    public void Submitting_and_reaping_allocates_nothing()
    {
        using VirtioFsGuest guest = ConnectGuest();
        RequestQueue queue = guest.Connection.RequestQueues[0];
        RequestSlot[] slots = [.. Enumerable.Range(0, 32).Select(_ => queue.Acquire())];
        RequestSlot[] completed = new RequestSlot[slots.Length];
        ExchangeAll(queue, slots, completed, rounds: 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ExchangeAll(queue, slots, completed, rounds: 1_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Array.ForEach(slots, queue.Release);
    }

    [Fact]
    public void Unknown_names_are_an_error()
    {
        using VirtioFsGuest guest = ConnectGuest();
        Assert.Equal(Errno.ENOENT, ErrorOf(() => guest.Files.Stat("/nothing")));
        Assert.False(guest.Files.Exists("/nothing"));
    }

    [Fact]
    public void Threads_share_a_queue()
    {
        using VirtioFsGuest guest = ConnectGuest(fuseOptions: new FuseConnectionOptions { SlotsPerQueue = 4 });
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            for (int i = 0; i < 100; i++)
            {
                byte[] data = Encoding.UTF8.GetBytes($"{worker} {i}");
                guest.Files.WriteAllBytes($"/worker{worker}", data);
                Assert.Equal(data, guest.Files.ReadAllBytes($"/worker{worker}"));
            }
        });
        guest.Fuse.DrainForgets();
        Assert.Equal(4, guest.Connection.RequestQueues[0].FreeSlots);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(false, 4)]
    [InlineData(true, 4)]
    public void Memory_is_shared_in_slots_or_as_a_table(bool slots, int regions)
    {
        using VirtioFsGuest guest = ConnectGuest(new FrontendOptions { UseMemorySlots = slots, MemoryRegions = regions });
        byte[] data = RandomNumberGenerator.GetBytes(1 << 20);
        guest.Files.WriteAllBytes("/file", data);
        Assert.Equal(data, guest.Files.ReadAllBytes("/file"));
    }

    [Theory]
    [InlineData(VirtioFeatures.EventIdx)]
    [InlineData(VirtioFeatures.IndirectDesc)]
    [InlineData(VirtioFeatures.None)]
    public void Rings_work_with_any_features(VirtioFeatures ringFeatures)
    {
        FrontendOptions defaults = new();
        var both = VirtioFeatures.EventIdx | VirtioFeatures.IndirectDesc;
        using VirtioFsGuest guest = ConnectGuest(defaults with { Features = (defaults.Features & ~both) | ringFeatures });
        byte[] data = RandomNumberGenerator.GetBytes(900_000);
        guest.Files.WriteAllBytes("/file", data);
        Assert.Equal(data, guest.Files.ReadAllBytes("/file"));
    }

    [Fact]
    public void Ring_indices_wrap_around()
    {
        using VirtioFsGuest guest = ConnectGuest(new FrontendOptions { QueueSize = 128, StartIndex = 65_500 });
        for (int i = 0; i < 200; i++)
        {
            guest.Fuse.GetAttr(NodeId.Root);
        }
    }

    /// <summary>For daemons that have locks between guests: Rust virtiofsd has none.</summary>
    protected void CheckThatALockExcludesTheOtherGuest()
    {
        using VirtioFsGuest first = ConnectGuest();
        using VirtioFsGuest second = ConnectGuest();
        using GuestFile mine = first.Files.CreateFile("/file");
        using GuestFile theirs = second.Files.Open("/file");
        Assert.True(mine.TryLock(0, 10));
        Assert.False(theirs.TryLock(5, 10));
        Assert.True(theirs.TryLock(10, 10));
        mine.Unlock(0, 10);
        Assert.True(theirs.TryLock(0, 10));
    }

    /// <summary>GETATTR of the root with every slot in flight, again and again.</summary>
    private static void ExchangeAll(RequestQueue queue, RequestSlot[] slots, RequestSlot[] completed, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            foreach (RequestSlot slot in slots)
            {
                slot.Begin(FuseOpcode.GetAttr, NodeId.Root, CallerIdentity.Root);
                slot.Argument(default(fuse_getattr_in));
                slot.ExpectReply<fuse_attr_out>();
                queue.Submit(slot, kick: false);
            }

            queue.Kick();
            for (int missing = slots.Length; missing > 0;)
            {
                int count = queue.Reap(completed, queue.DefaultWait);
                Assert.True(count > 0);
                missing -= count;
            }
        }
    }

    protected static Errno ErrorOf(Action action) => Assert.Throws<FuseException>(action).Errno;
}
