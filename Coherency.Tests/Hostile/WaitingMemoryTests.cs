using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;
using Coherency.Host.Transports.VhostUser;
using Xunit.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>What a wait keeps of the daemon's memory, to the byte: nothing else runs meanwhile, and what is garbage is collected.</summary>
[Trait("Category", "Slow")]
[Collection(TimedTests.Name)]
public sealed class WaitingMemoryTests(ITestOutputHelper output)
{
    private const int Waits = 10_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public void Ten_thousand_waiting_locks_keep_little()
    {
        using LockedFile locked = new(
            new FrontendOptions { QueueSize = 32768 }, new FuseConnectionOptions { SlotsPerQueue = Waits + 8, DataBytesMax = 4096 });
        RequestQueue queue = locked.Guest.Connection.RequestQueues[0];
        List<RequestSlot> waiting = new(Waits);
        Park(queue, waiting, locked, 1);
        AwaitParked(locked.Load, 1);

        long before = GC.GetTotalMemory(forceFullCollection: true);
        Park(queue, waiting, locked, Waits);
        AwaitParked(locked.Load, Waits);
        long kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{Waits} waiting locks keep {kept / Waits} bytes each");
        // Outside of the collector's memory they keep none.
        Assert.InRange(kept, 0, 6 << 20);

        locked.Unlock();
        foreach (RequestSlot slot in waiting)
        {
            queue.Wait(slot, new WaitPolicy(SpinMicroseconds: 0, TimeoutMs: (int)Patience.TotalMilliseconds));
            Assert.Equal(Errno.None, slot.ReadError());
            queue.Release(slot);
        }
    }

    private static void Park(RequestQueue queue, List<RequestSlot> waiting, LockedFile locked, int count)
    {
        while (waiting.Count < count)
        {
            RequestSlot wait = queue.Acquire();
            wait.Begin(FuseOpcode.SetLkw, locked.Node, CallerIdentity.Root);
            wait.Argument(new fuse_lk_in { fh = locked.Handle.Value, owner = 2, lk = LockedFile.Whole(LockFlags.F_RDLCK) });
            wait.ExpectReply();
            queue.Submit(wait);
            waiting.Add(wait);
        }
    }

    private static void AwaitParked(QueueLoad load, int count) =>
        Assert.True(SpinWait.SpinUntil(() => load.Read() == (0, count), Patience), $"{load.Read()}");
}
