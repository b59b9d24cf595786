using Coherency.Core.Virtio;
using Coherency.Guest.Virtio;

namespace Coherency.Guest.Fuse;

/// <summary>How long to wait for a reply, and how.</summary>
/// <param name="SpinMicroseconds">Poll the used ring that long before sleeping on the interrupt; costs a core meanwhile.</param>
/// <param name="TimeoutMs">Give up after that; -1 for never.</param>
public readonly record struct WaitPolicy(int SpinMicroseconds, int TimeoutMs);

/// <summary>
/// One virtqueue with its request slots. Thread-safe: any number of threads submit and wait, and replies may come in any
/// order. Of the threads that wait, one at a time watches the device and tells the others what came back.
/// </summary>
/// <remarks>
/// A benchmark uses it asynchronously instead: <see cref="Submit"/> several slots, <see cref="Kick"/>, <see cref="Reap"/>
/// what is complete. Neither way allocates memory. The two ways must not be mixed on one queue at the same time.
/// </remarks>
public sealed class RequestQueue
{
    private readonly object _gate = new();
    private readonly GuestRam _memory;
    private readonly RawVirtqueue _ring;
    private readonly VirtqueueDriver _driver;
    private readonly DeviceWatch _watch;
    private readonly RequestSlot[] _slots;
    private readonly Stack<RequestSlot> _free;

    // True while some thread watches the device outside the lock; only that thread may take used chains then.
    private bool _watched;
    private ulong _lastUnique;

    internal RequestQueue(GuestRam memory, RawVirtqueue ring, VirtioFeatures features, QueueSettings settings)
    {
        _memory = memory;
        _ring = ring;
        _driver = new VirtqueueDriver(ring, features, settings.StartIndex);
        _watch = new DeviceWatch(_driver, ring.Call, settings.SocketFd);
        _slots = new RequestSlot[settings.Slots];
        _free = new Stack<RequestSlot>(settings.Slots);
        for (int i = settings.Slots - 1; i >= 0; i--)
        {
            _slots[i] = new RequestSlot(memory, (ushort)i, settings.DataBytesMax);
            _free.Push(_slots[i]);
        }
    }

    /// <summary>How <see cref="Wait"/> waits unless told otherwise.</summary>
    public WaitPolicy DefaultWait { get; set; } = new(SpinMicroseconds: 50, TimeoutMs: 30_000);

    /// <summary>Slots that are neither owned by a caller nor in flight.</summary>
    public int FreeSlots
    {
        get
        {
            lock (_gate)
            {
                return _free.Count;
            }
        }
    }

    /// <summary>Takes a slot, waiting for one when all are in use.</summary>
    /// <exception cref="TimeoutException">None became free in the time of <see cref="DefaultWait"/>.</exception>
    /// <exception cref="ObjectDisposedException">The guest was disposed.</exception>
    public RequestSlot Acquire()
    {
        // Until Release: the guest may be disposed meanwhile, by another thread.
        bool isHeld = false;
        _memory.DangerousAddRef(ref isHeld);
        try
        {
            return AcquireHeld();
        }
        catch
        {
            _memory.DangerousRelease();
            throw;
        }
    }

    private RequestSlot AcquireHeld()
    {
        Deadline deadline = new(DefaultWait.TimeoutMs);
        lock (_gate)
        {
            while (_free.Count == 0)
            {
                if (!AwaitProgress(DefaultWait, deadline))
                {
                    throw new TimeoutException("every request slot is in use");
                }
            }

            RequestSlot slot = _free.Pop();
            slot.Status = RequestSlot.State.Owned;
            return slot;
        }
    }

    /// <summary>Gives a slot back; one that is still in flight is freed when the device returns it.</summary>
    public void Release(RequestSlot slot)
    {
        lock (_gate)
        {
            if (slot.Status == RequestSlot.State.InFlight)
            {
                slot.Status = RequestSlot.State.Abandoned;
            }
            else
            {
                Free(slot);
            }
        }

        _memory.DangerousRelease();
    }

    /// <summary>Adds the slot's request to the ring.</summary>
    /// <param name="kick">False to let the device know only with the next <see cref="Kick"/>.</param>
    /// <exception cref="TimeoutException">The ring stayed full.</exception>
    public void Submit(RequestSlot slot, bool kick = true)
    {
        Deadline deadline = new(DefaultWait.TimeoutMs);
        bool wantsKick;
        lock (_gate)
        {
            // The kernel's request numbers are even, too: odd ones are left for interrupts.
            slot.Seal(_lastUnique += 2);
            while (!_driver.TryAdd(slot.Segments, slot.Index, slot.IndirectTable))
            {
                if (!AwaitProgress(DefaultWait, deadline))
                {
                    throw new TimeoutException("the ring stayed full");
                }
            }

            slot.Status = RequestSlot.State.InFlight;
            wantsKick = kick && _driver.Publish();
        }

        if (wantsKick)
        {
            _ring.Kick.Signal();
        }
    }

    /// <summary>Shows the device what was submitted without a kick.</summary>
    public void Kick()
    {
        bool wantsKick;
        lock (_gate)
        {
            wantsKick = _driver.Publish();
        }

        if (wantsKick)
        {
            _ring.Kick.Signal();
        }
    }

    /// <summary>Waits until the device is done with a submitted slot.</summary>
    /// <exception cref="TimeoutException">It was not in time; the slot must still be released.</exception>
    /// <exception cref="DeviceGoneException">The daemon closed the connection.</exception>
    public void Wait(RequestSlot slot) => Wait(slot, DefaultWait);

    /// <inheritdoc cref="Wait(RequestSlot)"/>
    public void Wait(RequestSlot slot, WaitPolicy policy)
    {
        Deadline deadline = new(policy.TimeoutMs);
        lock (_gate)
        {
            while (!slot.IsComplete)
            {
                if (!AwaitProgress(policy, deadline) && !slot.IsComplete)
                {
                    throw new TimeoutException($"no reply to {slot.Opcode} within {policy.TimeoutMs} ms");
                }
            }
        }
    }

    /// <summary>Collects completed slots, waiting for the first one; returns how many, 0 when the time was up.</summary>
    /// <exception cref="DeviceGoneException">The daemon closed the connection.</exception>
    public int Reap(Span<RequestSlot> completed, WaitPolicy policy)
    {
        lock (_gate)
        {
            int count = TakeUsed(completed);
            if (count == 0 && WatchDevice(policy.SpinMicroseconds, policy.TimeoutMs))
            {
                count = TakeUsed(completed);
            }

            return count;
        }
    }

    /// <summary>Waits until nothing is in flight, such as forgets that nobody waits for.</summary>
    /// <exception cref="TimeoutException">Something still is.</exception>
    /// <remarks>Not while another thread may dispose of the guest: it holds no slot.</remarks>
    public void Drain()
    {
        Deadline deadline = new(DefaultWait.TimeoutMs);
        lock (_gate)
        {
            while (_free.Count < _slots.Length)
            {
                if (!AwaitProgress(DefaultWait, deadline) && _free.Count < _slots.Length)
                {
                    throw new TimeoutException("requests are still in flight");
                }
            }
        }
    }

    /// <summary>
    /// With the lock held: returns when something may have changed, false when the time is up. Either watches the device
    /// itself or sleeps until the thread that does has news.
    /// </summary>
    private bool AwaitProgress(WaitPolicy policy, Deadline deadline)
    {
        if (_watched)
        {
            return Monitor.Wait(_gate, deadline.RemainingMs);
        }

        if (TakeUsed([]) > 0)
        {
            return true;
        }

        bool used = WatchDevice(policy.SpinMicroseconds, deadline.RemainingMs);
        TakeUsed([]);
        return used;
    }

    /// <summary>With the lock held: leaves it, watches the device, takes it again. True when a chain came back.</summary>
    private bool WatchDevice(int spinMicroseconds, int timeoutMs)
    {
        _watched = true;
        Monitor.Exit(_gate);
        try
        {
            return _watch.AwaitUsed(spinMicroseconds, timeoutMs);
        }
        finally
        {
            Monitor.Enter(_gate);
            _watched = false;

            // Those who wait look at their slots, and one of them becomes the watcher.
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Takes used chains; <paramref name="sink"/> gets the slots, and bounds their number unless it is empty.</summary>
    private int TakeUsed(Span<RequestSlot> sink)
    {
        int count = 0;
        while ((sink.IsEmpty || count < sink.Length) && _driver.TryTakeUsed(out UsedChain used))
        {
            RequestSlot slot = _slots[used.Token];
            bool abandoned = slot.Status == RequestSlot.State.Abandoned;
            slot.Complete(used.BytesWritten);
            if (abandoned)
            {
                Free(slot);
            }
            else if (!sink.IsEmpty)
            {
                sink[count] = slot;
            }

            count++;
        }

        return count;
    }

    private void Free(RequestSlot slot)
    {
        slot.Status = RequestSlot.State.Free;
        _free.Push(slot);
        Monitor.PulseAll(_gate);
    }
}

/// <summary>What a queue needs to know of its guest.</summary>
/// <param name="Slots">Requests in flight at most.</param>
/// <param name="DataBytesMax">Data that one request can move, in bytes.</param>
/// <param name="StartIndex">Index at which the rings start.</param>
/// <param name="SocketFd">Watched while waiting, to learn that the daemon has gone; -1 for none.</param>
internal readonly record struct QueueSettings(int Slots, int DataBytesMax, ushort StartIndex, int SocketFd);
