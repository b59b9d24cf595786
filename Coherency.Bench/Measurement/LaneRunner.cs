using System.Diagnostics;
using Coherency.Bench.Workloads;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Measurement;

/// <summary>What one slice of a measurement did.</summary>
/// <param name="Operations">Completed.</param>
/// <param name="Requests">Sent and answered; an operation may be several.</param>
/// <param name="Elapsed">From the first request to the last reply.</param>
internal readonly record struct Slice(long Operations, long Requests, TimeSpan Elapsed);

/// <summary>
/// Keeps as many operations in flight as there are lanes, from one thread on one queue, and records how long each took from its
/// first request to its last reply. Nothing is allocated between the start and the end of a slice.
/// </summary>
internal sealed class LaneRunner
{
    private readonly RequestQueue _queue;
    private readonly IWorkload _workload;
    private readonly WaitPolicy _wait;
    private readonly RequestSlot[] _slots;
    private readonly RequestSlot[] _completed;
    private readonly int[] _steps;
    private readonly long[] _begins;
    private int _active;
    private long _operations;
    private long _requests;

    public LaneRunner(RequestQueue queue, IWorkload workload, int lanes, WaitPolicy wait)
    {
        _queue = queue;
        _workload = workload;
        _wait = wait;
        _completed = new RequestSlot[lanes];
        _steps = new int[lanes];
        _begins = new long[lanes];
        _slots = new RequestSlot[lanes];
        for (int lane = 0; lane < lanes; lane++)
        {
            _slots[lane] = queue.Acquire();
            _slots[lane].Tag = lane;
        }
    }

    /// <summary>Runs for that long, or until the recorder is full.</summary>
    /// <exception cref="FuseException">A request failed: the measurement would not mean what it says.</exception>
    /// <exception cref="TimeoutException">No reply came.</exception>
    public Slice Run(TimeSpan duration, LatencyRecorder recorder)
    {
        _operations = _requests = 0;
        _active = 0;
        long start = Stopwatch.GetTimestamp();
        long end = start + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        for (int lane = 0; lane < _slots.Length; lane++)
        {
            BeginOperation(lane, start);
        }

        long now = start;
        while (_active > 0)
        {
            _queue.Kick();
            int count = _queue.Reap(_completed, _wait);
            if (count == 0)
            {
                throw new TimeoutException($"no reply within {_wait.TimeoutMs} ms");
            }

            now = Stopwatch.GetTimestamp();
            bool goesOn = now < end && recorder.Count + _slots.Length < recorder.Capacity;
            for (int i = 0; i < count; i++)
            {
                Continue(_completed[i], now, goesOn, recorder);
            }
        }

        return new Slice(_operations, _requests, Stopwatch.GetElapsedTime(start, now));
    }

    /// <summary>Gives the slots back; what is still in flight, after a failure, is waited for.</summary>
    public void Finish()
    {
        foreach (RequestSlot slot in _slots)
        {
            _queue.Release(slot);
        }

        _queue.Drain();
    }

    private void BeginOperation(int lane, long now)
    {
        _steps[lane] = 0;
        _begins[lane] = now;
        _workload.WriteNext(lane, 0, _slots[lane]);
        _queue.Submit(_slots[lane], kick: false);
        _active++;
    }

    private void Continue(RequestSlot slot, long now, bool goesOn, LatencyRecorder recorder)
    {
        if (slot.ReadError() is not Errno.None and var errno && !_workload.Permits(slot.Opcode, errno))
        {
            throw new FuseException(slot.Opcode, errno);
        }

        int lane = slot.Tag;
        _requests++;
        if (_workload.WriteNext(lane, ++_steps[lane], slot))
        {
            _queue.Submit(slot, kick: false);
            return;
        }

        _operations++;
        _active--;
        recorder.Add(now - _begins[lane]);
        if (goesOn)
        {
            BeginOperation(lane, now);
        }
    }
}
