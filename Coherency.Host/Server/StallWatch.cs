using Coherency.Host.Faults;

namespace Coherency.Host.Server;

/// <summary>Threads that receive requests and carry them out, and may all be kept from receiving more by those that they have.</summary>
internal interface IStallable
{
    /// <summary>
    /// Has another thread receive requests, if nothing was received since this was called last and nobody waits for more.
    /// </summary>
    /// <returns>Whether there was anything to do since then.</returns>
    bool Relieve();
}

/// <summary>
/// Looks, while requests are served, whether whoever receives them is held up by one that takes long, and has another thread receive
/// them then. One thread of the process, which sleeps while nothing is served.
/// </summary>
internal static class StallWatch
{
    /// <summary>
    /// How often it looks, in milliseconds. A request is found between one and two of these after it began: longer than anything takes
    /// that need not wait for a disk or another machine, and shorter than a person notices.
    /// </summary>
    private const int PeriodMs = 10;

    /// <summary>So many looks at nothing, and it sleeps.</summary>
    private const int RestingLooks = 100;

    private static readonly Lock WatchedLock = new();
    private static readonly AutoResetEvent Awake = new(false);
    private static IStallable[] _watched = [];
    private static Thread? _thread;
    private static bool _asleep;

    /// <summary>From now on, until <see cref="Remove"/>.</summary>
    public static void Add(IStallable served)
    {
        lock (WatchedLock)
        {
            _watched = [.. _watched, served];
            if (_thread is null)
            {
                _thread = GuardedThread.Start("stall-watch", Run, static _ => { });
            }
        }
    }

    /// <summary>It may be called once more after this.</summary>
    public static void Remove(IStallable served)
    {
        lock (WatchedLock)
        {
            _watched = [.. _watched.Where(other => other != served)];
        }
    }

    /// <summary>By who has received a request, after noting that by a full barrier and before carrying it out.</summary>
    public static void WakeIfAsleep()
    {
        if (Volatile.Read(ref _asleep) && Interlocked.Exchange(ref _asleep, false))
        {
            Awake.Set();
        }
    }

    private static void Run()
    {
        int resting = 0;
        while (true)
        {
            Thread.Sleep(PeriodMs);
            resting = RelieveAll() ? 0 : resting + 1;
            if (resting >= RestingLooks)
            {
                // Pairs with the barrier before WakeIfAsleep: what was received before this is found by the look that follows.
                Interlocked.Exchange(ref _asleep, true);
                if (RelieveAll())
                {
                    WakeIfAsleep();
                }

                Awake.WaitOne();
                resting = 0;
            }
        }
    }

    private static bool RelieveAll()
    {
        bool anyServes = false;
        foreach (IStallable served in Volatile.Read(ref _watched))
        {
            // It is nobody's thread: whatever fails, the others are looked at.
            GuardedThread.Guard(() => anyServes |= served.Relieve(), static _ => { });
        }

        return anyServes;
    }
}
