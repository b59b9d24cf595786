using Coherency.Core.Linux;
using Coherency.Core.Virtio;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>One of a queue's threads.</summary>
internal abstract class QueueThread
{
    /// <summary>
    /// What the request lies in with which the thread was left alone; guarded by the lock of <see cref="LeaderFollowers"/>.
    /// </summary>
    public GuestMemory? Memory { get; set; }
}

/// <summary>
/// The threads of a queue, of which one at a time leads: the ring is its. It carries out what it takes, in turns. A turn ends once:
/// by the leader, which goes on leading, or by who passes the lead to a thread that waits for it. Then whoever had it finishes its
/// request alone, and waits for the lead again. Thread-safe.
/// </summary>
/// <param name="memory">What the queue works with now; asked only while the leader is with a request, so that it stays.</param>
/// <param name="failed">Is told what ended a thread that must not end.</param>
internal sealed partial class LeaderFollowers(string name, int threadsMax, Action run, Func<GuestMemory> memory, Action<Exception> failed,
    ILogger log) : IStallable
{
    private readonly object _lock = new();
    private readonly List<Thread> _threads = [];
    private readonly LogLimit _refusedThreads = new();
    private bool _stopping;

    /// <summary>Null while nobody has the lead: a thread is on its way to take it.</summary>
    private QueueThread? _leader;

    /// <summary>Threads that wait for the lead, or are being started to do so.</summary>
    private int _waiting;

    /// <summary>Odd while the leader carries a request out.</summary>
    private long _turn;

    /// <summary>The turn when <see cref="StallWatch"/> last looked.</summary>
    private long _turnSeen;

    private long _passed;

    /// <summary>How often the lead was passed.</summary>
    public long Passed => Volatile.Read(ref _passed);

    /// <summary>Starts the first thread.</summary>
    /// <exception cref="LinuxException">It could not be prepared.</exception>
    public void Start()
    {
        lock (_lock)
        {
            StartThread();
        }

        if (threadsMax > 1)
        {
            StallWatch.Add(this);
        }
    }

    /// <summary>Has all threads end, and waits until they have.</summary>
    /// <param name="interrupt">Wakes the leader.</param>
    public void Stop(Action interrupt)
    {
        StallWatch.Remove(this);
        Thread[] threads;
        lock (_lock)
        {
            // No thread is started after this.
            _stopping = true;
            threads = [.. _threads];
            Monitor.PulseAll(_lock);
        }

        interrupt();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    /// <summary>Waits for the lead; false when all stop. Who has it sees to it that somebody waits for it.</summary>
    public bool TryLead(QueueThread thread)
    {
        lock (_lock)
        {
            while (_leader is not null && !_stopping)
            {
                Monitor.Wait(_lock);
            }

            _waiting--;
            if (_stopping)
            {
                return false;
            }

            _leader = thread;
            if (_waiting == 0 && _threads.Count < threadsMax)
            {
                TryStartThread();
            }

            return true;
        }
    }

    /// <summary>The leader is about to carry a request out.</summary>
    /// <returns>The turn, for <see cref="TryPass"/> and <see cref="EndTurn"/>.</returns>
    public long BeginTurn()
    {
        // Fully ordered, before the watch is looked for: either it sees the turn or this sees that it sleeps.
        long turn = Interlocked.Increment(ref _turn);
        StallWatch.WakeIfAsleep();
        return turn;
    }

    /// <summary>
    /// Gives the lead to a thread that waits for it, on whichever thread; false when none does or the turn has ended. The memory that
    /// the request lies in stays until its thread is done: whoever leads next may go over to other memory.
    /// </summary>
    public bool TryPass(long turn)
    {
        lock (_lock)
        {
            if (_waiting == 0 || _stopping || Interlocked.CompareExchange(ref _turn, turn + 1, turn) != turn)
            {
                return false;
            }

            _leader!.Memory = memory().Acquire();
            _leader = null;
            _passed++;
            Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>The request that a turn was for has been carried out. False when the thread leads no more.</summary>
    public bool EndTurn(QueueThread thread, long turn)
    {
        if (Interlocked.CompareExchange(ref _turn, turn + 1, turn) == turn)
        {
            return true;
        }

        GuestMemory? held;
        lock (_lock)
        {
            held = thread.Memory;
            thread.Memory = null;
            _waiting++;
        }

        held?.Release();
        return false;
    }

    bool IStallable.Relieve()
    {
        long turn = Volatile.Read(ref _turn);
        bool moved = turn != _turnSeen;
        bool isBusy = (turn & 1) != 0;
        _turnSeen = turn;
        if (!moved && isBusy)
        {
            TryPass(turn);
        }

        return moved || isBusy;
    }

    /// <summary>With the lock held, by a thread that has nobody's credentials but the daemon's: a new thread inherits them.</summary>
    private void StartThread()
    {
        _threads.Add(RequestThread.Start(_threads.Count == 0 ? name : $"{name}.{_threads.Count}", run, failed));
        _waiting++;
    }

    /// <summary>The same, where the queue can do without: others may have taken all threads that the system has.</summary>
    private void TryStartThread()
    {
        try
        {
            StartThread();
        }
        catch (Exception refused) when (refused is LinuxException or OutOfMemoryException)
        {
            if (_refusedThreads.Allows(out long unsaid))
            {
                LogNoThread(log, name, refused.Message, unsaid);
            }
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Queue} has no other thread for when a request takes long: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogNoThread(ILogger log, string queue, string problem, long unsaid);
}
