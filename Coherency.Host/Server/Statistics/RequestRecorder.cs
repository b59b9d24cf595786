using System.Diagnostics;
using System.Numerics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;

namespace Coherency.Host.Server.Statistics;

/// <summary>
/// What one thread counts of the requests that it carries out: nobody else writes here, so that counting needs no locked
/// instruction. Any thread may read, and sees counts that are a moment old.
/// <para>
/// Each request is counted. The clock is dearer than all counting together: while requests stand in line, of the
/// <see cref="CheapOperations"/> one in <see cref="CheapPerTimed"/> is timed, and stands for those of its operation that were not
/// since the last one. What is left of these when the line is empty gets the mean of the requests that stood in it.
/// </para>
/// </summary>
public sealed class RequestRecorder
{
    private const int CheapPerTimed = 32;

    private const int Started = 0;
    private const int Finished = 1;
    private const int SlotsMoved = 2;

    /// <summary>Of those finished, how many are in the buckets already.</summary>
    private const int Timed = 3;

    private const int FirstCount = 4;
    private const int FirstNanoseconds = FirstCount + DurationBuckets.Count;

    /// <summary>Counts of one operation: whole cache lines.</summary>
    private const int RowLength = 56;

    private readonly RequestCounters _counters;
    private readonly long[] _rows = new long[FuseOpcodes.Count * RowLength];
    private RequestSampler? _sampler;

    /// <summary>When the thread became free for the next request; 0 when nobody looked at the clock then.</summary>
    private long _freeSince;

    private long _lineBegan;

    /// <summary>A queue that is never empty has one line for as long as it runs: more requests than an int counts.</summary>
    private long _lineLength;

    private int _untilTimed = CheapPerTimed;

    /// <summary>A bit for each operation that has finished requests which were not timed.</summary>
    private ulong _untimed;

    internal RequestRecorder(RequestCounters counters) => _counters = counters;

    internal RequestSampler? Sampler => Volatile.Read(ref _sampler);

    /// <summary>The line is empty: what was not timed gets its time, before the thread looks for more.</summary>
    internal void EndLine()
    {
        if (_untimed == 0)
        {
            return;
        }

        // What was taken before requests were measured, and finished after, is in no line.
        long mean = (Stopwatch.GetTimestamp() - _lineBegan) / Math.Max(1, _lineLength);
        for (; _untimed != 0; _untimed &= _untimed - 1)
        {
            RecordDuration(Row((FuseOpcode)BitOperations.TrailingZeroCount(_untimed)), mean);
        }
    }

    /// <summary>The thread has waited for what comes now.</summary>
    /// <param name="now">The time, as <see cref="Stopwatch.GetTimestamp"/> has it.</param>
    internal void BeginLine(long now)
    {
        _freeSince = now;
        _lineBegan = now;
        _lineLength = 0;
    }

    /// <summary>Takes the next request of the line.</summary>
    /// <returns>What becomes <see cref="FuseRequest.ArrivedAt"/>; 0 when it is not timed.</returns>
    internal long Arrive(FuseOpcode opcode)
    {
        bool isFirst = _lineLength++ == 0;
        if (!isFirst && CheapOperations.Contains(opcode) && --_untilTimed > 0 && _sampler is null)
        {
            return 0;
        }

        _untilTimed = CheapPerTimed;
        return _freeSince != 0 ? _freeSince : Stopwatch.GetTimestamp();
    }

    internal void Begin(FuseOpcode opcode) => Increment(Row(opcode) + Started);

    /// <summary>After the reply, so that its time is in it.</summary>
    /// <param name="arrivedAt"><see cref="FuseRequest.ArrivedAt"/>.</param>
    internal void Finish(FuseOpcode opcode, NodeId node, long arrivedAt, Errno error)
    {
        if (error != Errno.None)
        {
            _counters.CountError(opcode, error);
        }

        int row = Row(opcode);
        Increment(row + Finished);
        if (arrivedAt == 0)
        {
            _untimed |= 1UL << (int)opcode;
            _freeSince = 0;
            return;
        }

        _freeSince = Stopwatch.GetTimestamp();
        long nanoseconds = _freeSince - arrivedAt;
        RecordDuration(row, nanoseconds);
        _untimed &= ~(1UL << (int)opcode);
        Add(row + SlotsMoved, MovedSlots.TakeOfThread());
        if (_sampler is { } sampler && sampler.IsNext())
        {
            sampler.Keep(new RequestSample(opcode, node, arrivedAt, nanoseconds, error));
        }
    }

    /// <summary>Nobody looked at the clock when the last request was handed on.</summary>
    internal void HandOn() => _freeSince = 0;

    /// <summary>One request in so many is kept for a trace; 0 for none.</summary>
    internal void Sample(int every) => Volatile.Write(ref _sampler, every == 0 ? null : new RequestSampler(every));

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

    /// <summary>Of all requests of the operation that have none yet.</summary>
    private void RecordDuration(int row, long nanoseconds)
    {
        long finished = _rows[row + Finished];
        long count = finished - _rows[row + Timed];
        int bucket = DurationBuckets.IndexOf(nanoseconds);
        _rows[row + Timed] = finished;
        Add(row + FirstCount + bucket, count);
        Add(row + FirstNanoseconds + bucket, nanoseconds * count);
    }

    private static int Row(FuseOpcode opcode) => (int)opcode * RowLength;

    private long Read(int index) => Volatile.Read(ref _rows[index]);

    private void Increment(int index) => Add(index, 1);

    private void Add(int index, long number) => Volatile.Write(ref _rows[index], _rows[index] + number);
}
