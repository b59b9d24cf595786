using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Coherency.Bench.Workloads;

namespace Coherency.Bench.Measurement;

/// <summary>What one slice of a measurement did.</summary>
/// <param name="Operations">Completed.</param>
/// <param name="Requests">Sent and answered; an operation may be several.</param>
/// <param name="Elapsed">From the first request to the last reply.</param>
internal readonly record struct Slice(long Operations, long Requests, TimeSpan Elapsed);

/// <summary>
/// Drives one queue of one guest with a workload of its own: keeps as many operations in flight as there are lanes, from one thread,
/// and records how long each took from its first request to its last reply. Nothing is allocated between the start and the end of
/// a slice.
/// </summary>
internal sealed class QueueDriver(RequestQueue queue, Workload workload, int lanes, LatencyRecorder recorder, WaitPolicy wait)
{
    private readonly RequestSlot[] _slots = [.. Enumerable.Range(0, lanes).Select(lane => AcquireFor(queue, lane))];
    private readonly RequestSlot[] _completed = new RequestSlot[lanes];
    private readonly long[] _begins = new long[lanes];
    private int _active;
    private long _operations;
    private long _requests;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Of the last slice.</summary>
    public Slice Slice { get; private set; }

    /// <summary>Of the last slice, in ticks.</summary>
    public ReadOnlySpan<long> Latencies => recorder.Recorded;

    /// <summary>Runs all drivers at the same time, each on a thread of its own when there are several.</summary>
    /// <exception cref="FuseException">A request failed: the measurement would not mean what it says.</exception>
    /// <exception cref="TimeoutException">No reply came.</exception>
    public static void RunTogether(IReadOnlyList<QueueDriver> drivers, TimeSpan duration)
    {
        if (drivers.Count == 1)
        {
            drivers[0].RunGuarded(duration);
        }
        else
        {
            using Barrier start = new(drivers.Count);
            Thread[] threads = [.. drivers.Select(driver => new Thread(() =>
            {
                start.SignalAndWait();
                driver.RunGuarded(duration);
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }

        foreach (QueueDriver driver in drivers)
            driver._failure?.Throw();
    }

    /// <summary>Gives back what the workload and the queue hold; what is still in flight, after a failure, is waited for.</summary>
    public void Finish()
    {
        Array.ForEach(_slots, queue.Release);
        queue.Drain();
        workload.Finish();
    }

    private static RequestSlot AcquireFor(RequestQueue queue, int lane)
    {
        RequestSlot slot = queue.Acquire();
        slot.Tag = lane;
        return slot;
    }

    /// <summary>A failure is kept for the thread that waits: it must not end the process.</summary>
    private void RunGuarded(TimeSpan duration)
    {
        recorder.Clear();
        try
        {
            Slice = Run(duration);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }

    /// <summary>Runs for that long, or until the recorder is full.</summary>
    private Slice Run(TimeSpan duration)
    {
        _operations = _requests = _active = 0;
        long start = Stopwatch.GetTimestamp();
        long end = start + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        for (int lane = 0; lane < _slots.Length; lane++)
            BeginOperation(lane, start);
        long now = start;
        while (_active > 0)
        {
            queue.Kick();
            int count = queue.Reap(_completed, wait);
            if (count == 0)
                throw new TimeoutException($"no reply within {wait.TimeoutMs} ms");
            now = Stopwatch.GetTimestamp();
            bool goesOn = now < end && recorder.Count + _slots.Length < recorder.Capacity;
            for (int i = 0; i < count; i++)
                Continue(_completed[i], now, goesOn);
        }

        return new Slice(_operations, _requests, Stopwatch.GetElapsedTime(start, now));
    }

    private void BeginOperation(int lane, long now)
    {
        _begins[lane] = now;
        workload.WriteNext(lane, _slots[lane]);
        queue.Submit(_slots[lane], kick: false);
        _active++;
    }

    private void Continue(RequestSlot slot, long now, bool goesOn)
    {
        if (slot.ReadError() is not Errno.None and var errno && !workload.Permits(slot.Opcode, errno))
            throw new FuseException(slot.Opcode, errno);
        _requests++;
        if (workload.WriteNext(slot.Tag, slot))
        {
            queue.Submit(slot, kick: false);
            return;
        }

        _operations++;
        _active--;
        recorder.Add(now - _begins[slot.Tag]);
        if (goesOn)
            BeginOperation(slot.Tag, now);
    }
}

/// <summary>
/// Keeps every latency in an array made beforehand, so that percentiles are exact and recording allocates nothing. When the
/// array is full the run must end: dropping values would bend the percentiles.
/// </summary>
internal sealed class LatencyRecorder(int capacity)
{
    private readonly long[] _ticks = new long[capacity];

    public int Count { get; private set; }

    public int Capacity => _ticks.Length;

    public void Add(long ticks) => _ticks[Count++] = ticks;

    public void Clear() => Count = 0;

    /// <summary>What was recorded, in <see cref="Stopwatch"/> ticks.</summary>
    public ReadOnlySpan<long> Recorded => _ticks.AsSpan(0, Count);

    /// <summary>
    /// The smallest recorded latency that at least the fraction <paramref name="quantile"/> of all do not exceed, in
    /// microseconds. <paramref name="sorted"/> is in ascending order and not empty.
    /// </summary>
    public static double PercentileMicroseconds(long[] sorted, double quantile)
    {
        int rank = (int)Math.Ceiling(quantile * sorted.Length);
        return sorted[Math.Clamp(rank, 1, sorted.Length) - 1] * 1e6 / Stopwatch.Frequency;
    }
}
