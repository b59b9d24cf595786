using System.Diagnostics;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;

namespace Coherency.Tests.Coherence;

/// <summary>Collects what a watcher tells.</summary>
internal sealed class ChangesSeen : IHostChanges
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Lock _lock = new();
    private readonly HashSet<SlotKey> _slots = [];
    private int _lost;
    private int _mountsChanged;

    /// <summary>While it is not set, the watcher waits in the middle of its work.</summary>
    public ManualResetEventSlim MayGoOn { get; } = new(initialState: true);

    public int Lost => Volatile.Read(ref _lost);

    public void Changed(ReadOnlySpan<SlotKey> slots)
    {
        lock (_lock)
        {
            foreach (SlotKey slot in slots)
            {
                _slots.Add(slot);
            }
        }

        MayGoOn.Wait();
    }

    void IHostChanges.Lost() => Interlocked.Increment(ref _lost);

    void IHostChanges.MountsChanged() => Interlocked.Increment(ref _mountsChanged);

    /// <summary>Waits until a slot has moved; everything that moved up to then, and forgets it.</summary>
    public HashSet<SlotKey> TakeUpTo(SlotKey last)
    {
        WaitFor(() => _slots.Contains(last));
        lock (_lock)
        {
            HashSet<SlotKey> taken = [.. _slots];
            _slots.Clear();
            return taken;
        }
    }

    public void WaitForLost() => WaitFor(() => _lost > 0);

    public void WaitForMountsChanged(int times) => WaitFor(() => _mountsChanged == times);

    private void WaitFor(Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            lock (_lock)
            {
                if (condition())
                {
                    return;
                }
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, "the watcher did not tell of a change");
            Thread.Sleep(1);
        }
    }
}
