using Coherency.Core.Fuse;
using Coherency.Guest;
using Coherency.Guest.Files;
using Coherency.Guest.VhostUser;
using Xunit;
using Xunit.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>
/// After 10,000 attacks of each kind the process holds what it held before. Nothing else runs meanwhile: the process is counted.
/// </summary>
[Trait("Category", "Slow")]
[Collection(TimedTests.Name)]
public sealed class LeakTests(ITestOutputHelper output)
{
    private const int Attacks = 10_000;
    private const int WarmUpAttacks = 200;

    /// <summary>What the allocator and the runtime may keep, whatever the number of attacks: under 4 KiB for each.</summary>
    private const long ResidentKibAllowed = 32 << 10;

    /// <summary>What the thread pool may add in its own time.</summary>
    private const int ThreadsAllowed = 32;

    [Fact]
    public void Ten_thousand_broken_connections_leave_nothing()
    {
        using HostileTestBed bed = new();
        ExpectNoLeak(bed, i => HostileConnectionTests.Run(bed, ConnectionAttacks.All[i % ConnectionAttacks.All.Count]));
    }

    [Fact]
    public void Ten_thousand_broken_chains_leave_nothing()
    {
        using HostileTestBed bed = new();
        RingAttack[] attacks = [.. RingAttacks.All.Where(attack => !attack.StopsQueue)];
        using VhostUserFrontend frontend = bed.Connect(new FrontendOptions { QueueSize = 64, MemoryBytes = 1 << 20, MemoryRegions = 2 });
        frontend.Start();
        AttackedRing ring = new(frontend);
        ExpectNoLeak(bed, i =>
        {
            attacks[i % attacks.Length].Run(ring);
            Assert.True(ring.WaitUsed(), "a chain never came back");
        });
    }

    /// <summary>Guests that hold files, directories and locks, wait for a lock, and are killed.</summary>
    [Fact]
    public void Guests_killed_with_everything_open_leave_nothing()
    {
        using HostileTestBed bed = new();
        ExpectNoLeak(bed, _ => HoldEverythingAndDie(bed), attacks: 500);
    }

    private void ExpectNoLeak(HostileTestBed bed, Action<int> attack, int attacks = Attacks)
    {
        Repeat(bed, attack, Math.Min(WarmUpAttacks, attacks / 5));
        Holdings before = HostileTestBed.Count();
        Repeat(bed, attack, attacks);
        Holdings after = Settle(before);
        output.WriteLine($"{attacks} attacks: before {before}, after {after}");
        Assert.True(after.Descriptors <= before.Descriptors, $"{after.Descriptors - before.Descriptors} descriptors leaked");
        Assert.True(after.Threads - before.Threads <= ThreadsAllowed, $"{after.Threads - before.Threads} threads leaked");
        Assert.True(after.ResidentKib - before.ResidentKib <= ResidentKibAllowed, $"{after.ResidentKib - before.ResidentKib} KiB leaked");
        bed.ExpectHonestGuestWorks();
    }

    private static void Repeat(HostileTestBed bed, Action<int> attack, int count)
    {
        for (int i = 0; i < count; i++)
        {
            attack(i);
            bed.Log.Clear();
        }
    }

    /// <summary>The last session's clean-up runs in the daemon's threads.</summary>
    private static Holdings Settle(Holdings before)
    {
        Holdings now = HostileTestBed.Count();
        for (int i = 0; i < 100 && (now.Descriptors > before.Descriptors || now.Threads > before.Threads + ThreadsAllowed); i++)
        {
            Thread.Sleep(50);
            now = HostileTestBed.Count();
        }

        return now;
    }

    private static void HoldEverythingAndDie(HostileTestBed bed)
    {
        VirtioFsGuest guest = bed.ConnectGuest();
        GuestFile first = guest.Files.Open("/file");
        GuestFile second = guest.Files.Open("/file");
        first.Lock();
        guest.Fuse.OpenDir(NodeId.Root);
        Thread waiter = new(() =>
        {
            // The lock is never free: the wait ends with the connection.
            Assert.ThrowsAny<Exception>(() => second.Lock());
        });
        waiter.Start();
        Assert.False(second.TryLock());
        guest.Frontend.Connection.Shutdown();
        waiter.Join();
        guest.Kill();
    }
}
