using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;
using Coherency.Host.Coherence;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Coherency.Tests.Guest;

/// <summary>Two guests that cache for ever on one share: what is unchanged costs nothing, what changed is seen at once.</summary>
[Collection(TimedTests.Name)]
public sealed class CoherentCacheTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-cache-");
    private readonly ShareConfiguration _share;
    private readonly ITestOutputHelper _output;
    private readonly List<IDisposable> _open = [];
    private GuestServer _server;

    public CoherentCacheTests(ITestOutputHelper output)
    {
        _output = output;
        _share = new ShareConfiguration
        {
            SharedDir = _work.CreateSubdirectory("shared").FullName,
            Guests = [.. "ab".Select(name => new GuestConfiguration { Name = $"{name}", Socket = Path
                .Combine(_work.FullName, $"{name}.sock") })],
        };
        _server = StartServer();
    }

    public void Dispose()
    {
        CloseGuests();
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void What_is_unchanged_costs_no_request()
    {
        const int Files = 1000;
        const int Rounds = 10;
        for (int i = 0; i < Files; i++)
        {
            File.WriteAllText(PathOf($"file{i}"), "text");
        }

        File.CreateSymbolicLink(PathOf("link"), "target");
        CoherentCache a = OpenCache(0);
        LookAtAll();
        long requests = Requests(0);
        for (int round = 0; round < Rounds; round++)
        {
            LookAtAll();
        }

        _output.WriteLine(
            $"{Rounds * Files} stats, {Rounds * Files} absent names, links and lists after the first pass: {Requests(0) - requests} " +
            "requests");
        Assert.Equal(requests, Requests(0));

        void LookAtAll()
        {
            for (int i = 0; i < Files; i++)
            {
                Assert.Equal(4UL, a.GetAttributes(a.Lookup(NodeId.Root, $"file{i}")!.Value).size);
                Assert.Null(a.Lookup(NodeId.Root, $"none{i}"));
            }

            Assert.Equal("target", a.ReadLink(a.Lookup(NodeId.Root, "link")!.Value));
            Assert.Equal(Files + 1, a.List(NodeId.Root).Count);
        }
    }

    [Fact]
    public void Changes_beside_what_is_cached_cost_only_what_they_changed()
    {
        const int Files = 200;
        CoherentCache a = OpenCache(0);
        CoherentCache b = OpenCache(1);
        NodeId[] nodes = [.. Enumerable.Range(0, Files).Select(i => b.CreateFile(NodeId.Root, $"file{i}"))];
        LookAtAll();
        long requests = Requests(0);
        for (int i = 0; i < Files; i++)
        {
            b.CreateFile(NodeId.Root, $"other{i}");
            b.DeleteFile(NodeId.Root, $"other{i}");
            LookAtAll();
        }

        // 2^18 slots, 600 of which were moved: a handful of the 200 names and inodes may share one.
        long asked = Requests(0) - requests;
        _output.WriteLine(
            $"{Files * Files} stats while the other guest made and removed {Files} files in the same directory: {asked} requests");
        Assert.True(asked <= Files / 10, $"{asked} requests");

        void LookAtAll()
        {
            for (int i = 0; i < Files; i++)
            {
                Assert.Equal(nodes[i], a.Lookup(NodeId.Root, $"file{i}"));
                a.GetAttributes(nodes[i]);
            }
        }
    }

    /// <summary>Guest b changes something, and guest a, which has it cached, looks as soon as b has the reply.</summary>
    [Fact]
    public void A_change_that_was_acknowledged_is_seen_by_the_next_look()
    {
        const int Changes = 100_000;
        CoherentCache a = OpenCache(0);
        CoherentCache b = OpenCache(1);
        NodeId file = b.CreateFile(NodeId.Root, "file");
        Assert.Equal(file, a.Lookup(NodeId.Root, "file"));
        int stale = 0;
        for (int i = 1; i <= Changes; i++)
        {
            switch (i % 5)
            {
                case 0:
                    b.SetAttributes(file, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
                    stale += a.GetAttributes(file).size == (ulong)i ? 0 : 1;
                    break;
                case 1:
                    Assert.Null(a.Lookup(NodeId.Root, "other"));
                    NodeId made = b.CreateFile(NodeId.Root, "other");
                    stale += a.Lookup(NodeId.Root, "other") == made ? 0 : 1;
                    break;
                case 2:
                    b.Rename(NodeId.Root, "other", NodeId.Root, "renamed");
                    stale += a.Lookup(NodeId.Root, "other") is null && a.Lookup(NodeId.Root, "renamed") is not null ? 0 : 1;
                    break;
                case 3:
                    b.Link(file, NodeId.Root, "hard");
                    stale += a.GetAttributes(file).nlink == 2 && a.Lookup(NodeId.Root, "hard") == file ? 0 : 1;
                    b.DeleteFile(NodeId.Root, "hard");
                    stale += a.GetAttributes(file).nlink == 1 && a.Lookup(NodeId.Root, "hard") is null ? 0 : 1;
                    break;
                default:
                    b.DeleteFile(NodeId.Root, "renamed");
                    stale += a.Lookup(NodeId.Root, "renamed") is null && a.List(NodeId.Root).Count == 1 ? 0 : 1;
                    break;
            }
        }

        _output.WriteLine($"{Changes} changes by one guest, each looked at by the other at once: {stale} stale answers");
        Assert.Equal(0, stale);
    }

    [Fact]
    public void A_guest_that_does_not_attach_gets_what_auto_means()
    {
        File.WriteAllText(PathOf("file"), "text");
        VirtioFsGuest guest = Connect(0);
        Assert.Equal(1UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
        using (VersionTableReader table = OpenTable(0))
        {
            AttachHandshake.Perform(guest.Fuse, table);
            Assert.True(guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid > 1_000_000);
            // Twice is once.
            AttachHandshake.Perform(guest.Fuse, table);
        }

        using (VersionTableReader table = OpenTable(0))
        {
            // Who goes on after a detach finds everything stale, and no sign of life.
            SlotKey slot = SlotKey.Name(table.RootKey, "file"u8);
            VersionSample sample = table.Sample(slot);
            AttachHandshake.End(guest.Fuse);
            Assert.False(table.IsCurrent(slot, sample));
            // One beat may have been on its way.
            Assert.True(SpinWait.SpinUntil(() => IsSilent(table), TimeSpan.FromSeconds(30)), "the heart goes on beating");
            Assert.Equal(1UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
            AttachHandshake.Perform(guest.Fuse, table);
        }

        guest.Reboot();
        Assert.Equal(1UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
    }

    [Fact]
    public void A_table_that_is_not_the_sessions_is_refused()
    {
        VirtioFsGuest guest = Connect(0);
        using VersionTableReader other = OpenTable(1);
        VersionTableException refused = Assert.Throws<VersionTableException>(() => AttachHandshake.Perform(guest.Fuse, other));
        Assert.Contains("not this session's", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_handshake_is_no_attribute_and_only_of_the_root()
    {
        File.WriteAllText(PathOf("file"), "text");
        VirtioFsGuest guest = Connect(0);
        NodeId file = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        Assert.Equal(24, guest.Fuse.GetXattrLength(NodeId.Root, "trusted.coherency.attach"u8));
        Assert.Equal(1UL, guest.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
        Assert.Equal(
            Errno.ERANGE, Assert.Throws<FuseException>(() => guest.Fuse.GetXattr(NodeId.Root, "trusted.coherency.attach"u8, 10)).Errno);
        Assert.Equal(Errno.ENODATA, Assert.Throws<FuseException>(() => guest.Fuse.GetXattr(file, "trusted.coherency.attach"u8)).Errno);
        Assert.Equal(0, guest.Fuse.ListXattrLength(NodeId.Root));
    }

    [Fact]
    public void A_guest_that_scribbles_over_its_table_harms_only_itself()
    {
        CoherentCache a = OpenCache(0);
        CoherentCache b = OpenCache(1);
        NodeId file = b.CreateFile(NodeId.Root, "file");
        Assert.Equal(file, a.Lookup(NodeId.Root, "file"));
        ChildProcess.Run("dd", ["if=/dev/urandom", $"of={TablePath(0)}", "conv=notrunc", "bs=64k", "count=33"]);
        for (int i = 1; i < 100; i++)
        {
            a.SetAttributes(file, new fuse_setattr_in { valid = (uint)FuseSetAttrValid.Size, size = (ulong)i });
            Assert.Equal((ulong)i, b.GetAttributes(file).size);
        }
    }

    [Fact]
    public void Nothing_is_believed_while_the_daemon_gives_no_sign_of_life()
    {
        CoherentCache a = OpenCache(0);
        a.CreateFile(NodeId.Root, "file");
        a.Lookup(NodeId.Root, "file");
        long hits = a.Hits;
        a.Lookup(NodeId.Root, "file");
        Assert.Equal(hits + 1, a.Hits);

        using VersionTableWriter silent = VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1024, 200));
        using VersionTableReader reader = VersionTableReader.Open($"/proc/self/fd/{silent.Fd}");
        using TableWatch watch = new(reader);
        WatchSample sample = watch.Sample(SlotKey.Inode(5));
        Assert.True(watch.IsCurrent(SlotKey.Inode(5), sample));
        Assert.True(SpinWait.SpinUntil(() => !watch.IsCurrent(SlotKey.Inode(5), sample), TimeSpan.FromSeconds(10)));
        silent.Beat();
        Assert.True(SpinWait.SpinUntil(() => watch.IsCurrent(SlotKey.Inode(5), sample), TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void After_a_restart_nothing_cached_before_is_believed()
    {
        File.WriteAllText(PathOf("file"), "text");
        using VersionTableReader table = OpenTable(0);
        SlotKey slot = SlotKey.Name(table.RootKey, "file"u8);
        VersionSample sample = table.Sample(slot);
        _server.Dispose();
        Assert.False(table.IsCurrent(slot, sample));
        sample = table.Sample(slot);
        _server = StartServer();
        Assert.False(table.IsCurrent(slot, sample));
        CoherentCache a = OpenCache(0);
        Assert.NotNull(a.Lookup(NodeId.Root, "file"));
        VersionSample now = table.Sample(slot);
        Assert.True(table.IsCurrent(slot, now));
    }

    private static bool IsSilent(VersionTableReader table)
    {
        ulong before = table.Heartbeat;
        Thread.Sleep(200);
        return table.Heartbeat == before;
    }

    private GuestServer StartServer() => new(new ServeConfiguration { Shares = [_share] }, NullLoggerFactory.Instance);

    private string PathOf(string name) => Path.Combine(_share.SharedDir, name);

    private string TablePath(int guest) => _share.Guests[guest].Socket + ".table";

    private long Requests(int guest) => _server.Endpoints[guest].Session.Counters.Total;

    private VirtioFsGuest Connect(int guest)
    {
        VirtioFsGuest connected = VirtioFsGuest.Connect(_share.Guests[guest].Socket);
        _open.Add(connected);
        return connected;
    }

    private VersionTableReader OpenTable(int guest) => VersionTableReader.Open(TablePath(guest));

    private CoherentCache OpenCache(int guest)
    {
        VirtioFsGuest connected = Connect(guest);
        VersionTableReader table = OpenTable(guest);
        _open.Add(table);
        CoherentCache cache = CoherentCache.Attach(connected.Fuse, table);
        _open.Add(cache);
        return cache;
    }

    private void CloseGuests()
    {
        foreach (IDisposable one in Enumerable.Reverse(_open))
        {
            one.Dispose();
        }
    }
}
