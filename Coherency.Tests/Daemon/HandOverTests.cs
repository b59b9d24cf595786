using System.Globalization;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest;
using Coherency.Host.Transports.VhostUser;
using Xunit.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>Which requests wake a helper thread: those that would hold the queue up, an fsync only where it takes long.</summary>
public sealed class HandOverTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Long = HandOver.Quick + TimeSpan.FromMicroseconds(1);

    [Theory]
    [InlineData(FuseOpcode.Fsync)]
    [InlineData(FuseOpcode.FsyncDir)]
    public void An_fsync_is_handed_over_until_enough_of_them_were_quick_in_a_row(FuseOpcode opcode)
    {
        HandOver handOver = new();
        for (int round = 0; round < 2; round++)
        {
            for (int quick = 0; quick < HandOver.QuickInARow; quick++)
            {
                Assert.True(handOver.IsDue(opcode), $"after {quick} quick ones");
                handOver.LearnFsync(HandOver.Quick);
            }

            Assert.False(handOver.IsDue(opcode));
            handOver.LearnFsync(Long);
        }

        Assert.True(handOver.IsDue(opcode));
    }

    [Fact]
    public void Quick_ones_between_long_ones_are_not_enough()
    {
        HandOver handOver = new();
        for (int i = 0; i < 10 * HandOver.QuickInARow; i++)
        {
            handOver.LearnFsync(i % HandOver.QuickInARow == 0 ? Long : HandOver.Quick);
            Assert.True(handOver.IsDue(FuseOpcode.Fsync));
        }
    }

    [Theory]
    [InlineData(FuseOpcode.Fallocate, true)]
    [InlineData(FuseOpcode.CopyFileRange, true)]
    [InlineData(FuseOpcode.SyncFs, true)]
    [InlineData(FuseOpcode.Read, false)]
    [InlineData(FuseOpcode.Lookup, false)]
    public void How_long_an_fsync_takes_changes_nothing_for_others(FuseOpcode opcode, bool isDue)
    {
        HandOver handOver = new();
        for (int i = 0; i < 2 * HandOver.QuickInARow; i++)
        {
            Assert.Equal(isDue, handOver.IsDue(opcode));
            handOver.LearnFsync(HandOver.Quick);
        }
    }

    /// <summary>A helper sleeps once for each request that is handed to it, so its context switches count them.</summary>
    [Fact]
    public void On_tmpfs_fsyncs_wake_nobody()
    {
        const int Warming = 2_000;
        const int Fsyncs = 2_000;
        DirectoryInfo work = Directory.CreateDirectory($"/dev/shm/coherency-handover-{Guid.NewGuid():N}");
        try
        {
            string share = work.CreateSubdirectory("share").FullName;
            string socket = Path.Combine(work.FullName, "a.sock");
            File.WriteAllText(Path.Combine(share, "file"), "text");
            using RunningDaemon daemon = RunningDaemon.Start("serve", "--shared-dir", share, "--guest", $"a={socket}", "--num-request-queues", "1");
            using VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
            NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
            FileHandle handle = new(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh);
            long before = HelperSwitches(daemon);
            Sync(guest, node, handle, Warming);
            long between = HelperSwitches(daemon);
            Sync(guest, node, handle, Fsyncs);
            long after = HelperSwitches(daemon);
            output.WriteLine($"the helper slept {between - before} times in the first {Warming}, {after - between} times in the next {Fsyncs}");
            Assert.True(between - before >= HandOver.QuickInARow, "the first ones were to be handed over");
            Assert.True(after - between < Fsyncs / 2, $"the helper slept {after - between} times in {Fsyncs} fsyncs");
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static void Sync(VirtioFsGuest guest, NodeId node, FileHandle handle, int count)
    {
        for (int i = 0; i < count; i++)
        {
            guest.Fuse.Fsync(node, handle);
        }
    }

    private static long HelperSwitches(RunningDaemon daemon)
    {
        const string Field = "voluntary_ctxt_switches:";
        string task = Directory.GetDirectories($"/proc/{daemon.Id}/task").Single(one => File.ReadAllText(Path.Combine(one, "comm")).Trim() == "a-q0-helper0");
        string line = File.ReadLines(Path.Combine(task, "status")).Single(text => text.StartsWith(Field, StringComparison.Ordinal));
        return long.Parse(line[Field.Length..].Trim(), CultureInfo.InvariantCulture);
    }
}
