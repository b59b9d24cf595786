using System.Diagnostics;
using System.Text.RegularExpressions;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Tests.Daemon;
using Xunit.Abstractions;

namespace Coherency.Tests.Keeper;

/// <summary>Guests of different keepers are served by one daemon of the host, and so are coherent with each other.</summary>
[Trait("Category", "Root")]
public sealed partial class JoinTests : IDisposable
{
    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-join-");

    public JoinTests(ITestOutputHelper output)
    {
        _output = output;
        File.WriteAllText(Path.Combine(_work.CreateSubdirectory("share").FullName, "file"), "old");
    }

    private string Share => Path.Combine(_work.FullName, "share");

    private string Runtime => Path.Combine(_work.FullName, "run");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void A_change_by_one_is_seen_by_the_other_through_its_table()
    {
        using RunningDaemon daemon = StartDaemon();
        using KeeperProcess libvirts = Join("domain-1-web/fs0-fs.sock", "--xattr");
        using KeeperProcess incus = Join("b.sock", "--cache=auto", "--posix-acl=auto");
        Assert.Contains("web-fs0 is served by the host's coherencyd", libvirts.Output, StringComparison.Ordinal);
        using VirtioFsGuest a = VirtioFsGuest.Connect(SocketOf("domain-1-web/fs0-fs.sock"));
        using VirtioFsGuest b = VirtioFsGuest.Connect(SocketOf("b.sock"));
        using VersionTableReader table = VersionTableReader.Open(TableOf(libvirts));
        using (CoherentCache cache = CoherentCache.Attach(a.Fuse, table))
        {
            NodeId file = cache.Lookup(NodeId.Root, "file")!.Value;
            Assert.Equal(3UL, cache.GetAttributes(file).size);
            long misses = cache.Misses;
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal(3UL, cache.GetAttributes(cache.Lookup(NodeId.Root, "file")!.Value).size);
            }

            Assert.Equal(misses, cache.Misses);
            for (int i = 1; i <= 100; i++)
            {
                b.Files.Truncate("/file", i);
                Assert.Equal((ulong)i, cache.GetAttributes(file).size);
            }
        }
    }

    [Fact]
    public void A_guest_that_has_gone_leaves_nothing_and_may_come_again_under_its_name()
    {
        using RunningDaemon daemon = StartDaemon();
        for (int i = 0; i < 3; i++)
        {
            using KeeperProcess keeper = Join("domain-1-web/fs0-fs.sock");
            using (VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("domain-1-web/fs0-fs.sock")))
            {
                Assert.Equal("old"u8, guest.Files.ReadAllBytes("/file"));
            }

            Assert.Equal(0, keeper.WaitForExit());
            Assert.False(File.Exists(TableOf(keeper)));
        }
    }

    /// <summary>Nobody keeps right what it believes any more.</summary>
    [Fact]
    public void A_guest_whose_table_is_cut_short_ends_alone()
    {
        using RunningDaemon daemon = StartDaemon();
        using KeeperProcess faulty = Join("faulty.sock");
        using KeeperProcess honest = Join("honest.sock");
        using VirtioFsGuest a = VirtioFsGuest.Connect(SocketOf("faulty.sock"));
        using VirtioFsGuest b = VirtioFsGuest.Connect(SocketOf("honest.sock"));
        using (VersionTableReader table = VersionTableReader.Open(TableOf(faulty)))
        {
            AttachHandshake.Perform(a.Fuse, table);
        }

        Assert.Equal(0, ChildProcess.Run("truncate", ["-s", "0", TableOf(faulty)]).ExitCode);
        b.Files.Truncate("/file", 1);
        faulty.WaitForExit();
        Assert.Contains("its version table was made shorter", daemon.Output, StringComparison.Ordinal);
        Assert.Equal("o"u8, b.Files.ReadAllBytes("/file"));
    }

    [Fact]
    public void Guests_keep_options_of_their_own()
    {
        using RunningDaemon daemon = StartDaemon();
        using KeeperProcess writer = Join("w.sock", "--xattr", "--cache=never");
        using KeeperProcess reader = Join("r.sock", "--readonly", "--cache=always");
        using VirtioFsGuest w = VirtioFsGuest.Connect(SocketOf("w.sock"));
        using VirtioFsGuest r = VirtioFsGuest.Connect(SocketOf("r.sock"));
        w.Files.SetXattr("/file", "user.name", "value"u8);
        Assert.Equal("value"u8, w.Files.GetXattr("/file", "user.name"));
        Assert.Equal(
            Core.Linux.Errno.ENOSYS, Assert.Throws<Coherency.Guest.Fuse.FuseException>(() => r.Files.GetXattr("/file", "user.name")).Errno);
        Assert.Equal(Core.Linux.Errno.EROFS, Assert.Throws<Coherency.Guest.Fuse.FuseException>(() => r.Files.Truncate("/file", 1)).Errno);
        Assert.Equal(0UL, w.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
        Assert.Equal(86_400UL, r.Fuse.Lookup(NodeId.Root, "file"u8).entry_valid);
    }

    [Fact]
    public async Task A_keeper_whose_host_daemon_stops_says_so_and_has_the_next_one_serve_the_next_machine()
    {
        using RunningDaemon daemon = StartDaemon();
        using KeeperProcess keeper = Join("a.sock");
        using KeeperProcess ended = Join("b.sock");
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("b.sock")))
        {
            Assert.Equal(0, daemon.Stop());
            await Eventually.IsTrueAsync(() => ended.Output.Contains("coherencyd was stopped: waiting", StringComparison.Ordinal));
        }

        // The machine ends meanwhile, and with it the keeper; the other's has not begun.
        Assert.Equal(0, ended.WaitForExit());
        using RunningDaemon next = StartDaemon();
        await Eventually.IsTrueAsync(() => keeper.Output.Contains("Another server serves the guest", StringComparison.Ordinal));
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("a.sock")))
        {
            Assert.Equal("old"u8, guest.Files.ReadAllBytes("/file"));
        }

        Assert.Equal(0, keeper.WaitForExit());
    }

    [Fact]
    public void Without_a_daemon_of_the_host_a_guest_has_one_of_its_own_unless_it_has_to_join()
    {
        using KeeperProcess alone = KeeperProcess.Start(Runtime, "--socket-path", SocketOf("a.sock"), "--shared-dir", Share);
        Assert.Contains("not coherent with other virtual machines", alone.Output, StringComparison.Ordinal);
        using KeeperProcess refused = KeeperProcess.Begin(
            KeeperProcess.Built,
            Runtime,
            ["--socket-path", SocketOf("b.sock"), "--shared-dir", Share, "--join", "always"]);
        Assert.Equal(1, refused.WaitForExit());
        Assert.Contains("no coherencyd of the instance 'default' runs", refused.Output, StringComparison.Ordinal);
    }

    /// <summary>So they cost what they cost without it: both in turns, of one daemon.</summary>
    [Fact]
    public void No_request_passes_by_the_keeper()
    {
        const int Turns = 15, Requests = 1000;
        using RunningDaemon daemon = StartDaemon("--shared-dir", Share, "--guest", $"direct={SocketOf("direct.sock")}");
        using KeeperProcess keeper = Join("joined.sock");
        using VirtioFsGuest direct = VirtioFsGuest.Connect(SocketOf("direct.sock"));
        using VirtioFsGuest joined = VirtioFsGuest.Connect(SocketOf("joined.sock"));
        Ask(direct, Requests);
        Ask(joined, Requests);
        string before = SwitchesOfRelay();
        List<double> ratios = [];
        for (int turn = 0; turn < Turns; turn++)
        {
            TimeSpan one = Ask(direct, Requests), other = Ask(joined, Requests);
            ratios.Add(one / other);
        }

        Assert.Equal(before, SwitchesOfRelay());
        double median = ratios.Order().ElementAt(Turns / 2);
        _output.WriteLine($"requests a second, joined against direct: {median:F3}, the median of {Turns} turns");

        // What wakes its one thread that waits for messages.
        string SwitchesOfRelay() => string.Concat(
            File.ReadLines($"/proc/{keeper.Id}/task/{keeper.Id}/status").Where(
                line => line.Contains("ctxt_switches", StringComparison.Ordinal)));

        static TimeSpan Ask(VirtioFsGuest guest, int count)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                guest.Fuse.GetAttr(NodeId.Root);
            }

            return Stopwatch.GetElapsedTime(start);
        }
    }

    private RunningDaemon StartDaemon(params string[] options) =>
        RunningDaemon.Start(DaemonProgram.Built, ["serve", "--attach", "--no-admin", .. options], KeeperProcess.EnvironmentOf(Runtime));

    private KeeperProcess Join(string socket, params string[] options) =>
        KeeperProcess.Start(Runtime, ["--socket-path", SocketOf(socket), "--shared-dir", Share, "--join", "always", .. options]);

    private string SocketOf(string name)
    {
        string path = Path.Combine(_work.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    private static string TableOf(KeeperProcess keeper) => TableLine().Match(keeper.Output).Groups[1].Value;

    [GeneratedRegex(@"its version table is (\S+)")]
    private static partial Regex TableLine();
}
