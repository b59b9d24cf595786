using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Host.Transports.VhostUser;
using Coherency.Tests.Hostile;
using Xunit.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>Before which requests a queue is handed over: those that would hold it up, an fsync only where it takes long.</summary>
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

    /// <summary>Where the daemon is interrupted, an fsync takes long: one undisturbed round is enough.</summary>
    [Fact]
    public void On_tmpfs_fsyncs_wake_nobody()
    {
        const int Warming = 2_000;
        const int Fsyncs = 500;
        const int Rounds = 40;
        DirectoryInfo work = Directory.CreateDirectory($"/dev/shm/coherency-handover-{Guid.NewGuid():N}");
        try
        {
            string share = work.CreateSubdirectory("share").FullName;
            string socket = Path.Combine(work.FullName, "a.sock");
            File.WriteAllText(Path.Combine(share, "file"), "text");
            ShareConfiguration configuration = new()
            {
                SharedDir = share,
                NumRequestQueues = 1,
                Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
            };
            using GuestServer server = new(new ServeConfiguration { Shares = [configuration] }, new CollectedLog());
            using VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
            NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
            FileHandle handle = new(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh);
            long first = HandOversBy(Warming);
            Assert.True(first >= HandOver.QuickInARow, $"{first} were handed over: the first ones were to be");
            long fewest = Fsyncs;
            for (int round = 0; round < Rounds && fewest >= Fsyncs / 2; round++)
            {
                fewest = Math.Min(fewest, HandOversBy(Fsyncs));
            }

            output.WriteLine($"handed over {first} times in the first {Warming}, {fewest} times in a later round of {Fsyncs}");
            Assert.True(fewest < Fsyncs / 2, $"{fewest} of {Fsyncs} fsyncs were handed over, at best");

            long HandOversBy(int fsyncs)
            {
                long before = server.Guests[0].Loads[1].HandOvers;
                for (int i = 0; i < fsyncs; i++)
                {
                    guest.Fuse.Fsync(node, handle);
                }

                return server.Guests[0].Loads[1].HandOvers - before;
            }
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }
}
