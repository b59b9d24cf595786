using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Host.Passthrough;
using Coherency.Host.Server.Statistics;
using Coherency.Tests.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Coherency.Tests.Server;

/// <summary>When a guest that can do without opens is let do so, and what that saves.</summary>
public sealed class WithoutOpensTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-opens-");
    private readonly List<IDisposable> _open = [];
    private GuestServer? _server;

    private string Socket => Path.Combine(_work.FullName, "a.sock");

    public void Dispose()
    {
        foreach (IDisposable one in Enumerable.Reverse(_open))
        {
            one.Dispose();
        }

        _server?.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Opens_are_refused_for_good_once_the_guest_said_that_it_can_do_without()
    {
        VirtioFsGuest guest = Connect();
        NodeId node = Find(guest);
        Assert.NotEqual(0UL, guest.Fuse.Open(node, OpenFlags.O_RDONLY).fh);
        Assert.Equal(AttachFlags.NoOpen, Attach(guest));
        ExpectNoOpens(guest, node);
        Assert.Equal(AttachFlags.NoOpen, Attach(guest));
        Assert.Equal(AttachFlags.None, Attach(guest, withoutOpens: false));
        ExpectNoOpens(guest, node);
        guest.Fuse.RemoveXattr(NodeId.Root, "trusted.coherency.attach.opens"u8);
        Assert.Equal(1UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
        ExpectNoOpens(guest, node);
        guest.Reboot();
        Assert.NotEqual(0UL, guest.Fuse.Open(Find(guest), OpenFlags.O_RDONLY).fh);
    }

    [Fact]
    public void The_name_that_says_nothing_of_opens_changes_nothing()
    {
        VirtioFsGuest guest = Connect();
        Assert.Equal(AttachFlags.None, Attach(guest, withoutOpens: false));
        Assert.NotEqual(0UL, guest.Fuse.Open(Find(guest), OpenFlags.O_RDONLY).fh);
        Assert.NotEqual(0UL, guest.Fuse.OpenDir(NodeId.Root).fh);
    }

    [Fact]
    public void To_ask_how_long_the_answer_is_changes_nothing()
    {
        VirtioFsGuest guest = Connect();
        Assert.Equal(24, guest.Fuse.GetXattrLength(NodeId.Root, "trusted.coherency.attach.opens"u8));
        Assert.NotEqual(0UL, guest.Fuse.Open(Find(guest), OpenFlags.O_RDONLY).fh);
    }

    [Theory]
    [InlineData(FuseInitFlags.NoOpenSupport)]
    [InlineData(FuseInitFlags.NoOpendirSupport)]
    public void A_guest_whose_kernel_needs_opens_opens(FuseInitFlags missing)
    {
        FuseConnectionOptions standard = new();
        ExpectOpens(Connect(fuse: standard with { Flags = standard.Flags & ~missing }));
    }

    [Fact]
    public void A_guest_opens_where_the_administrator_wants_it() => ExpectOpens(Connect(share => share with { AskOpens = true }));

    [Fact]
    public void A_guest_opens_where_inodes_have_no_handles() =>
        ExpectOpens(Connect(share => share with { InodeFileHandles = InodeFileHandles.Never }));

    [Fact]
    public void A_guest_of_a_share_that_is_read_only_is_told()
    {
        VirtioFsGuest guest = Connect(share => share with { Readonly = true });
        Assert.Equal(AttachFlags.NoOpen | AttachFlags.ReadOnly, Attach(guest));
        NodeId node = Find(guest);
        Assert.Equal(Errno.EROFS, ErrorOf(() => guest.Fuse.Write(node, default, 0, "x"u8)));
        Assert.Equal("content"u8, guest.Files.ReadAllBytes("/file"));
    }

    [Theory]
    [InlineData(0x6969)] // NFS
    [InlineData(0xFE534D42)] // SMB
    [InlineData(0x65735546)] // FUSE
    [InlineData(0x00C36400)] // Ceph
    [InlineData(0x01021997)] // 9p
    [InlineData(0x5346414F)] // AFS
    [InlineData(0x794C7630)] // overlayfs, whose directories count their entries
    [InlineData(0)]
    public void File_systems_that_report_at_close_are_not_local(long type) => Assert.False(FileSystemTraits.AreLocal(type));

    [Theory]
    [InlineData(ProcessFlags.CAP_DAC_OVERRIDE)]
    [InlineData(ProcessFlags.CAP_DAC_READ_SEARCH)]
    public void A_daemon_that_may_not_open_everything_asks_for_opens(int missing)
    {
        using TestShare share = new();
        TestGuest guest = share.OpenGuest();
        bool? could = null;
        // Capabilities are a thread's own.
        Thread thread = new(() =>
        {
            Libc.GetCapabilities(out ulong effective, out ulong permitted, out ulong inheritable);
            Libc.SetCapabilities(effective & ~(1UL << missing), permitted, inheritable);
            could = guest.Files.TryDoWithoutOpens();
        });
        thread.Start();
        thread.Join();
        Assert.False(could);
        Assert.True(guest.Files.TryDoWithoutOpens());
    }

    [Fact]
    public void A_daemon_short_of_descriptors_asks_for_opens()
    {
        using TestShare share = new(options => options with { Budget = new DescriptorBudget(60) });
        Assert.False(share.OpenGuest().Files.TryDoWithoutOpens());
    }

    [Fact]
    public void What_a_guest_says_of_its_open_files_is_no_attribute()
    {
        VirtioFsGuest guest = Connect();
        Attach(guest);
        NodeId node = Find(guest);
        byte[] nodes = BitConverter.GetBytes(node.Value);
        Assert.Equal(Errno.ENODATA, Say("opened", [.. nodes, .. nodes, 1, 2, 3]));
        File.Delete(Path.Combine(_work.FullName, "share", "file"));
        byte[] buffer = new byte[100];
        Assert.Equal(7, guest.Fuse.Read(node, default, 0, buffer));
        Assert.Equal(Errno.ENODATA, Say("closed", nodes));
        Assert.Equal(Errno.ENODATA, Say("closed", nodes));
        Assert.Equal(Errno.ENODATA, Say("opened", []));
        Assert.Equal(Errno.ENODATA, Say("opened", new byte[60_000]));
        Assert.Equal(0, guest.Fuse.ListXattrLength(NodeId.Root));

        Errno Say(string what, byte[] value) =>
            ErrorOf(() => guest.Fuse.SetXattr(NodeId.Root, System.Text.Encoding.UTF8.GetBytes($"trusted.coherency.{what}"), value));
    }

    [Fact]
    public void An_open_read_and_close_costs_one_request()
    {
        VirtioFsGuest guest = Connect();
        Assert.Equal(4, CountRequests());
        Attach(guest);
        Assert.Equal(1, CountRequests());

        long CountRequests()
        {
            long before = OpeningRequests();
            using (GuestFile file = guest.Files.Open("/file", OpenFlags.O_RDONLY))
            {
                file.Read(0, new byte[7]);
            }

            return OpeningRequests() - before;
        }
    }

    [Fact]
    public void Files_and_directories_of_a_guest_without_opens_work()
    {
        VirtioFsGuest guest = Connect();
        Attach(guest);
        GuestFileSystem files = guest.Files;
        files.WriteAllBytes("/new", "some text"u8);
        Assert.Equal("some text"u8, files.ReadAllBytes("/new"));
        using (GuestFile truncated = files.Open("/new", OpenFlags.O_RDWR | OpenFlags.O_TRUNC))
        {
            Assert.Equal(0, truncated.Status.Size);
            truncated.Write(0, "0123456789"u8);
            truncated.Truncate(5);
            truncated.Sync();
            Assert.True(truncated.TryLock());
            Assert.True(truncated.TryFlock());
            using GuestFile other = files.Open("/new");
            Assert.False(other.TryLock());
            Assert.False(other.TryFlock());
        }

        using (GuestFile after = files.Open("/new", OpenFlags.O_WRONLY | OpenFlags.O_APPEND))
        {
            Assert.True(after.TryLock());
            Assert.True(after.TryFlock());
            after.Write(0, "!"u8);
        }

        Assert.Equal("01234!"u8, files.ReadAllBytes("/new"));
        Assert.Equal(["file", "new"], files.List("/").Order());
        Assert.Equal(6, files.ListWithStatus("/")["new"].Size);
    }

    private VirtioFsGuest Connect(Func<ShareConfiguration, ShareConfiguration>? change = null, FuseConnectionOptions? fuse = null)
    {
        string directory = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(directory, "file"), "content");
        ShareConfiguration share = new() { SharedDir = directory, Guests = [new GuestConfiguration { Name = "a", Socket = Socket }] };
        _server = new GuestServer(new ServeConfiguration { Shares = [change?.Invoke(share) ?? share] }, NullLoggerFactory.Instance);
        VirtioFsGuest guest = VirtioFsGuest.Connect(Socket, fuseOptions: fuse);
        _open.Add(guest);
        return guest;
    }

    private AttachFlags Attach(VirtioFsGuest guest, bool withoutOpens = true)
    {
        using VersionTableReader table = VersionTableReader.Open(Socket + ".table");
        return AttachHandshake.Perform(guest.Fuse, table, withoutOpens);
    }

    /// <summary>Requests so far that a program's open, read and close can cause.</summary>
    private long OpeningRequests()
    {
        Coherency.Host.Server.Statistics.RequestCounters counters = _server!.Endpoints[0].Session.Counters;
        return counters[FuseOpcode.Open] + counters[FuseOpcode.Read] + counters[FuseOpcode.Flush] + counters[FuseOpcode.Release];
    }

    private static NodeId Find(VirtioFsGuest guest) => new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);

    private void ExpectOpens(VirtioFsGuest guest)
    {
        Assert.Equal(AttachFlags.None, Attach(guest));
        NodeId node = Find(guest);
        Assert.NotEqual(0UL, guest.Fuse.Open(node, OpenFlags.O_RDONLY).fh);
        Assert.Equal(Errno.EBADF, ErrorOf(() => guest.Fuse.Read(node, default, 0, new byte[1])));
    }

    private static void ExpectNoOpens(VirtioFsGuest guest, NodeId node)
    {
        Assert.Equal(Errno.ENOSYS, ErrorOf(() => guest.Fuse.Open(node, OpenFlags.O_RDONLY)));
        Assert.Equal(Errno.ENOSYS, ErrorOf(() => guest.Fuse.OpenDir(NodeId.Root)));
        Assert.Equal(7, guest.Fuse.Read(node, default, 0, new byte[100]));
        CreatedFile made = guest.Fuse.Create(NodeId.Root, "made"u8, OpenFlags.O_RDWR | OpenFlags.O_CREAT, StatFlags.S_IFREG | 0x1A4);
        Assert.Equal(0UL, made.Opened.fh);
        guest.Fuse.Release(made.Node, made.Handle);
    }

    private static Errno ErrorOf(Action request) => Assert.Throws<FuseException>(request).Errno;
}
