using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Host.Server;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>
/// <c>serve --dax</c> before a front end that does what QEMU 11.1 does, and before one that does not, with guests that keep to no rule.
/// </summary>
[Trait("Category", "Root")]
public sealed class DaxWindowTests : IDisposable
{
    private const ulong RangeBytes = 2 << 20;
    private const FuseSetupMappingFlags Read = FuseSetupMappingFlags.Read;
    private const FuseSetupMappingFlags Write = FuseSetupMappingFlags.Write | Read;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-window-");
    private readonly CollectedLog _log = new();
    private readonly GuestServer _server;
    private readonly SemaphoreSlim _change = new(0);
    private volatile bool _isHeld;

    public DaxWindowTests()
    {
        Directory.CreateDirectory(Shared);
        File.WriteAllBytes(InShare("file"), Content(5 << 20, 1));
        File.WriteAllBytes(InShare("other"), Content(6 << 20, 2));
        File.WriteAllBytes(InShare("small"), Content(100, 3));
        ShareConfiguration share = new()
        {
            SharedDir = Shared,
            NumRequestQueues = 1,
            Dax = "1M",
            DaxWindowMib = 64,
            Guests = [new GuestConfiguration { Name = "a", Socket = Socket }],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, _log);
    }

    private string Shared => Path.Combine(_work.FullName, "shared");

    private string Socket => Path.Combine(_work.FullName, "a.sock");

    private FuseSession Session => _server.Endpoints[0].Session;

    public void Dispose()
    {
        _server.Dispose();
        _work.Delete(recursive: true);
        _change.Dispose();
    }

    /// <summary>The front end answers before it maps, and the guest must not look before that.</summary>
    [Fact]
    public async Task A_guest_is_told_that_a_range_is_there_when_it_sees_it()
    {
        using VirtioFsGuest guest = Connect();
        DeviceWindow window = guest.Frontend.Window!;
        NodeId file = Look(guest, "file");
        int answered = window.Answered;
        _isHeld = true;
        Task mapping = Task.Run(() => guest.Fuse.SetupMapping(file, RangeBytes, 0, RangeBytes, Read));
        Assert.True(SpinWait.SpinUntil(() => window.Answered > answered, Patience));
        // Another request is carried out meanwhile; the one that waits has no answer.
        Assert.Equal(file, Look(guest, "file"));
        Assert.False(mapping.IsCompleted);
        Assert.All(window.Load(0, 16), loaded => Assert.Equal(0, loaded));
        _isHeld = false;
        _change.Release();
        await mapping.WaitAsync(Patience);
        Assert.Equal(Content(5 << 20, 1)[(int)RangeBytes..][..1000], window.Load(0, 1000));
    }

    /// <summary>The file ends within the third range. It must not become longer, nor may anything be refused.</summary>
    [Fact]
    public void What_is_stored_is_in_the_file_and_nothing_else_changes()
    {
        using VirtioFsGuest guest = Connect();
        DeviceWindow window = guest.Frontend.Window!;
        NodeId file = Look(guest, "file");
        DateTime before = DateTime.UtcNow.AddSeconds(-1);
        File.SetLastWriteTimeUtc(InShare("file"), before.AddDays(-1));
        guest.Fuse.SetupMapping(file, 2 * RangeBytes, 3 * RangeBytes, RangeBytes, Read);
        int answered = window.Answered;
        Assert.True(File.GetLastWriteTimeUtc(InShare("file")) < before);
        // As Linux does when a page is stored to: the range is there already.
        guest.Fuse.SetupMapping(file, 2 * RangeBytes, 3 * RangeBytes, RangeBytes, Write);
        Assert.Equal((answered, 1), (window.Answered, window.Count(0)));
        Assert.True(File.GetLastWriteTimeUtc(InShare("file")) >= before);
        window.Store(3 * RangeBytes, "stored"u8);
        byte[] expected = Content(5 << 20, 1);
        "stored"u8.CopyTo(expected.AsSpan((int)(2 * RangeBytes)));
        Assert.Equal(expected, File.ReadAllBytes(InShare("file")));

        // Another file there takes its place, and the same file elsewhere is the same bytes.
        guest.Fuse.SetupMapping(Look(guest, "other"), 0, 3 * RangeBytes, RangeBytes, Read);
        guest.Fuse.SetupMapping(file, 2 * RangeBytes, 4 * RangeBytes, RangeBytes, Read);
        Assert.Equal(Content(6 << 20, 2)[..100], window.Load(3 * RangeBytes, 100));
        Assert.Equal("stored"u8, window.Load(4 * RangeBytes, 6));
        // The last range of a file may make way for another one of the same file.
        guest.Fuse.SetupMapping(file, RangeBytes, 4 * RangeBytes, RangeBytes, Read);
        Assert.Equal(expected[(int)RangeBytes..][..100], window.Load(4 * RangeBytes, 100));
        guest.Fuse.RemoveMapping(file, 4 * RangeBytes, RangeBytes);
        Assert.True(SpinWait.SpinUntil(() => window.Count(0) == 1, Patience));
        Assert.Equal((0, 0), (window.Refused, window.Lengthened));
    }

    [Fact]
    public void What_may_be_in_the_window_is_decided_once()
    {
        File.WriteAllBytes(InShare("program"), Content(4 << 20, 4));
        File.SetUnixFileMode(InShare("program"), (UnixFileMode)0x1ED);
        using VirtioFsGuest guest = Connect();
        Assert.True(IsDax(guest.Fuse.Lookup(NodeId.Root, "file"u8).attr));
        Assert.False(IsDax(guest.Fuse.Lookup(NodeId.Root, "program"u8).attr));
        fuse_entry_out small = guest.Fuse.Lookup(NodeId.Root, "small"u8);
        Assert.False(IsDax(small.attr));
        File.WriteAllBytes(InShare("small"), Content(4 << 20, 5));
        NodeId node = new(small.nodeid);
        Assert.False(IsDax(guest.Fuse.GetAttr(node).attr));
        Assert.False(IsDax(guest.Fuse.Lookup(NodeId.Root, "small"u8).attr));
        Assert.Equal(Errno.EIO, Assert.Throws<FuseException>(() => guest.Fuse.SetupMapping(node, 0, 0, RangeBytes, Read)).Errno);
        // A FORGET is not answered: a LOOKUP can overtake it, and keeps the inode known.
        ulong known = 2;
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                guest.Fuse.Forget(node, known);
                known = 1;
                return IsDax(guest.Fuse.Lookup(NodeId.Root, "small"u8).attr);
            },
            Patience));
        Assert.True(IsDax(guest.Fuse.GetAttr(Look(guest, "file")).attr));
    }

    [Fact]
    public async Task A_queue_that_stops_ends_what_waits_and_the_books_keep_what_comes_late()
    {
        using VirtioFsGuest guest = Connect();
        DeviceWindow window = guest.Frontend.Window!;
        NodeId file = Look(guest, "file");
        int answered = window.Answered;
        _isHeld = true;
        Task<FuseException> mapping = Task.Run(
            () => Assert.Throws<FuseException>(() => guest.Fuse.SetupMapping(file, 0, 0, RangeBytes, Read)));
        Assert.True(SpinWait.SpinUntil(() => window.Answered > answered, Patience));
        guest.Frontend.StopAndContinue();
        Assert.Equal(Errno.EINTR, (await mapping.WaitAsync(Patience)).Errno);
        _isHeld = false;
        _change.Release();
        Assert.True(SpinWait.SpinUntil(() => window.Count(0) == 1, Patience));
        Assert.Equal(1, Session.MappedRangeCount);
        guest.Fuse.SetupMapping(Look(guest, "other"), 0, 0, RangeBytes, Read);
        Assert.Equal(Content(6 << 20, 2)[..100], window.Load(0, 100));
    }

    /// <summary>QEMU drops everything at a reset; a guest that mounts again without one finds nothing in its way either.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_next_session_finds_an_empty_window(bool isReset)
    {
        using VirtioFsGuest guest = Connect();
        DeviceWindow window = guest.Frontend.Window!;
        for (ulong i = 0; i < 10; i++)
        {
            guest.Fuse.SetupMapping(Look(guest, "file"), 0, i * RangeBytes, RangeBytes, Read);
        }

        if (isReset)
        {
            window.DropAll();
        }

        guest.Reboot();
        Assert.Equal(0, Session.MappedRangeCount);
        Assert.True(SpinWait.SpinUntil(() => window.Count(0) == 0, Patience));
        guest.Fuse.SetupMapping(Look(guest, "other"), 0, 0, RangeBytes, Read);
        Assert.Equal(Content(6 << 20, 2)[..100], window.Load(0, 100));
    }

    [Fact]
    public void Nonsense_is_refused_and_leaves_nothing()
    {
        Holdings before = HostileTestBed.Count();
        using (VirtioFsGuest guest = Connect())
        {
            DeviceWindow window = guest.Frontend.Window!;
            NodeId[] nodes = [Look(guest, "file"), Look(guest, "other"), Look(guest, "small"), NodeId.Root, new NodeId(12345)];
            Random random = new(1);
            int succeeded = 0;
            for (int i = 0; i < 10_000; i++)
            {
                try
                {
                    NodeId node = nodes[random.Next(nodes.Length)];
                    if (random.Next(3) == 0)
                    {
                        guest.Fuse.RemoveMapping(node, Offset(random), Offset(random), (uint)random.Next(300));
                    }
                    else
                    {
                        FuseSetupMappingFlags flags = (FuseSetupMappingFlags)random.Next(5);
                        guest.Fuse.SetupMapping(node, Offset(random), Offset(random), Length(random), flags);
                        succeeded++;
                    }
                }
                catch (FuseException refused)
                {
                    Assert.Contains(refused.Errno, (Errno[])[Errno.EINVAL, Errno.EIO, Errno.ESTALE]);
                }
            }

            Assert.True(succeeded > 100, $"{succeeded} mappings were made");
            Assert.InRange(Session.MappedRangeCount, 0, 30);
            Assert.Equal(0, window.Lengthened);
            // Forgotten with ranges in the window.
            guest.Fuse.Forget(nodes[0], 1000);
            guest.Fuse.Forget(nodes[1], 1000);
            Assert.True(SpinWait.SpinUntil(() => Session.MappedRangeCount == 0, Patience));
            Assert.True(SpinWait.SpinUntil(() => window.Count(0) == 0, Patience));
            Assert.Equal(5 << 20, new FileInfo(InShare("file")).Length);
        }

        Assert.True(SpinWait.SpinUntil(() => HostileTestBed.Count().Descriptors <= before.Descriptors + 2, Patience));
    }

    /// <summary>One whose mappings nobody can see coming is given none, and who insists on them is told.</summary>
    [Fact]
    public void Without_a_front_end_that_announces_there_is_no_dax()
    {
        using (VirtioFsGuest guest = Connect(announces: false, waits: false))
        {
            Assert.False(guest.Connection.Flags.HasFlag(FuseInitFlags.HasInodeDax));
            Assert.False(IsDax(guest.Fuse.Lookup(NodeId.Root, "file"u8).attr));
            Assert.True(_log.WaitFor("No file will be in the DAX window: the VMM has not shown that it maps"));
        }

        FuseConnectionOptions always = new() { Flags = new FuseConnectionOptions().Flags | FuseInitFlags.MapAlignment };
        Assert.Equal(
            Errno.EOPNOTSUPP, Assert.Throws<FuseException>(() => VirtioFsGuest.Connect(Socket, null, always).Dispose()).Errno);
        Assert.True(_log.WaitFor("dax=always"));
    }

    private static ulong Offset(Random random) => random.Next(8) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => ulong.MaxValue - RangeBytes + 1,
        2 => (ulong)random.Next(1 << 20),
        _ => (ulong)random.Next(40) * RangeBytes,
    };

    private static ulong Length(Random random) => random.Next(8) switch
    {
        0 => 0,
        1 => (ulong)random.NextInt64(),
        2 => 4096,
        _ => RangeBytes,
    };

    private VirtioFsGuest Connect(bool announces = true, bool waits = true)
    {
        FrontendOptions options = new()
        {
            Window = new DeviceWindowOptions { Announces = announces, BeforeChange = WaitWhileHeld },
        };
        FuseInitFlags dax = FuseInitFlags.MapAlignment | FuseInitFlags.HasInodeDax;
        FuseConnectionOptions fuse = new() { Flags = new FuseConnectionOptions().Flags | dax };
        VirtioFsGuest guest = VirtioFsGuest.Connect(Socket, options, fuse);
        // The table is mapped while the guest mounts; a virtual machine's probes for longer than that.
        Assert.True(!waits || SpinWait.SpinUntil(Reconnected, Patience));
        return guest;

        bool Reconnected()
        {
            if (!guest.Connection.Flags.HasFlag(FuseInitFlags.HasInodeDax))
            {
                guest.Connection.Initialize();
            }

            return guest.Connection.Flags.HasFlag(FuseInitFlags.HasInodeDax);
        }
    }

    private void WaitWhileHeld()
    {
        if (_isHeld)
        {
            _change.Wait(Patience);
        }
    }

    private static NodeId Look(VirtioFsGuest guest, string name) =>
        new(guest.Fuse.Lookup(NodeId.Root, System.Text.Encoding.UTF8.GetBytes(name)).nodeid);

    private static bool IsDax(in fuse_attr attributes) => ((FuseAttrFlags)attributes.flags).HasFlag(FuseAttrFlags.Dax);

    private static byte[] Content(int bytes, int seed)
    {
        byte[] content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }

    private string InShare(string name) => Path.Combine(Shared, name);
}
