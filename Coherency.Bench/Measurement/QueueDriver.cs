using System.Runtime.ExceptionServices;
using Coherency.Bench.Workloads;
using Coherency.Guest.Fuse;

namespace Coherency.Bench.Measurement;

/// <summary>Drives one queue of one guest with a workload of its own.</summary>
internal sealed class QueueDriver(RequestQueue queue, IWorkload workload, int lanes, LatencyRecorder recorder, WaitPolicy wait)
{
    private readonly LaneRunner _runner = new(queue, workload, lanes, wait);
    private ExceptionDispatchInfo? _failure;

    /// <summary>Of the last slice.</summary>
    public Slice Slice { get; private set; }

    /// <summary>Of the last slice, in ticks.</summary>
    public ReadOnlySpan<long> Latencies => recorder.Recorded;

    /// <summary>Runs all drivers at the same time, each on a thread of its own when there are several.</summary>
    /// <exception cref="FuseException">A request failed.</exception>
    /// <exception cref="TimeoutException">No reply came.</exception>
    public static void RunTogether(IReadOnlyList<QueueDriver> drivers, TimeSpan duration)
    {
        if (drivers.Count == 1)
        {
            drivers[0].Run(duration);
        }
        else
        {
            using Barrier start = new(drivers.Count);
            Thread[] threads = [.. drivers.Select(driver => new Thread(() => driver.RunAfter(start, duration)))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }

        foreach (QueueDriver driver in drivers)
        {
            driver._failure?.Throw();
        }
    }

    /// <summary>Gives back what the workload and the queue hold.</summary>
    public void Finish()
    {
        _runner.Finish();
        workload.Finish();
    }

    private void RunAfter(Barrier start, TimeSpan duration)
    {
        start.SignalAndWait();
        Run(duration);
    }

    /// <summary>A failure is kept for the thread that waits: it must not end the process.</summary>
    private void Run(TimeSpan duration)
    {
        recorder.Clear();
        try
        {
            Slice = _runner.Run(duration, recorder);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }
}
