using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;

namespace Coherency.Host.Server.Statistics;

/// <summary>
/// What one thread counts of the requests that it carries out: nobody else writes here, so that counting needs no locked
/// instruction. Any thread may read, and sees counts that are a moment old.
/// </summary>
public sealed class RequestRecorder
{
    private const int Started = 0;
    private const int Finished = 1;
    private const int SlotsMoved = 2;
    private const int FirstCount = 3;
    private const int FirstNanoseconds = FirstCount + DurationBuckets.Count;

    /// <summary>Counts of one operation: whole cache lines.</summary>
    private const int RowLength = 56;

    private readonly RequestCounters _counters;
    private readonly long[] _rows = new long[FuseOpcodes.Count * RowLength];
    private RequestSampler? _sampler;

    internal RequestRecorder(RequestCounters counters) => _counters = counters;

    /// <summary>
    /// When the thread became free for the request that it takes next, as <see cref="Stopwatch.GetTimestamp"/> has it. The end
    /// of one request is the beginning of the next that waited already, which saves half of the looks at the clock.
    /// </summary>
    internal long FreeSince { get; set; }

    /// <summary>Reads the clock: the thread slept, or did something else.</summary>
    internal void BecomeFree() => FreeSince = Stopwatch.GetTimestamp();

    internal void Begin(FuseOpcode opcode) => Increment(Row(opcode) + Started);

    /// <summary>After the reply, so that its time is in it.</summary>
    /// <param name="arrivedAt"><see cref="FuseRequest.ArrivedAt"/>.</param>
    internal void Finish(FuseOpcode opcode, NodeId node, long arrivedAt, Errno error)
    {
        long now = Stopwatch.GetTimestamp();
        FreeSince = now;
        long nanoseconds = now - arrivedAt;
        Finish(opcode, nanoseconds, error);
        if (_sampler is { } sampler && sampler.IsNext())
        {
            sampler.Keep(new RequestSample(opcode, node, arrivedAt, nanoseconds, error));
        }
    }

    internal void Finish(FuseOpcode opcode, long nanoseconds, Errno error)
    {
        int row = Row(opcode);
        int bucket = DurationBuckets.IndexOf(nanoseconds);
        Increment(row + Finished);
        Increment(row + FirstCount + bucket);
        Add(row + FirstNanoseconds + bucket, nanoseconds);
        int moved = MovedSlots.TakeOfThread();
        if (moved != 0)
        {
            Add(row + SlotsMoved, moved);
        }

        if (error != Errno.None)
        {
            _counters.CountError(opcode, error);
        }
    }

    /// <summary>One request in so many is kept for a trace; 0 for none.</summary>
    internal void Sample(int every) => Volatile.Write(ref _sampler, every == 0 ? null : new RequestSampler(every));

    internal RequestSampler? Sampler => Volatile.Read(ref _sampler);

    internal long CountStarted(FuseOpcode opcode) => Read(Row(opcode) + Started);

    internal void AddTo(FuseOpcode opcode, OperationTotals totals)
    {
        int row = Row(opcode);
        // What has finished had started: read in this order, none is finished before it starts.
        totals.Finished += Read(row + Finished);
        totals.Started += Read(row + Started);
        totals.SlotsMoved += Read(row + SlotsMoved);
        for (int bucket = 0; bucket < DurationBuckets.Count; bucket++)
        {
            totals.Durations.Add(bucket, Read(row + FirstCount + bucket), Read(row + FirstNanoseconds + bucket));
        }
    }

    private static int Row(FuseOpcode opcode) => (int)opcode * RowLength;

    private long Read(int index) => Volatile.Read(ref _rows[index]);

    private void Increment(int index) => Add(index, 1);

    private void Add(int index, long number) => Volatile.Write(ref _rows[index], _rows[index] + number);
}
