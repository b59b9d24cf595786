using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server.Statistics;

/// <summary>
/// Counts a session's requests, by the operation. Counting is exact; readers see counts that are a moment old. Each thread
/// counts for itself (<see cref="RequestRecorder"/>); only what is rare is counted together.
/// </summary>
public sealed class RequestCounters
{
    private readonly Lock _lock = new();
    private readonly Stack<RequestRecorder> _free = new();
    private readonly long[] _errors = new long[FuseOpcodes.Count * ErrnoIndex.Count];
    private readonly RequestRecorder _waits;
    private RequestRecorder[] _recorders;
    private PayloadBytes _payload;
    private long _malformed;
    private int _sampleEvery;

    public RequestCounters()
    {
        _waits = new RequestRecorder(this);
        _recorders = [_waits];
    }

    /// <summary>
    /// Off, requests are counted when they begin and nothing else is. It is there so that a test can tell what the rest costs.
    /// </summary>
    internal bool MeasuresRequests { get; set; } = true;

    /// <summary>Requests that could not be decoded.</summary>
    public long Malformed => Volatile.Read(ref _malformed);

    /// <summary>File data that READs returned, in bytes.</summary>
    public long BytesRead => Volatile.Read(ref _payload.Read);

    /// <summary>File data that WRITEs wrote, in bytes.</summary>
    public long BytesWritten => Volatile.Read(ref _payload.Written);

    /// <summary>All well-formed requests.</summary>
    public long Total => Enumerable.Range(0, FuseOpcodes.Count).Sum(opcode => this[(FuseOpcode)opcode]);

    /// <summary>Samples for which there was no room.</summary>
    public long DroppedSamples => _recorders.Sum(recorder => recorder.Sampler?.Dropped ?? 0);

    /// <summary>Well-formed requests of an operation, counted when they begin.</summary>
    public long this[FuseOpcode opcode] => _recorders.Sum(recorder => recorder.CountStarted(opcode));

    public OperationTotals Read(FuseOpcode opcode)
    {
        OperationTotals totals = new();
        foreach (RequestRecorder recorder in _recorders)
        {
            recorder.AddTo(opcode, totals);
        }

        totals.Errors = [.. ReadErrors(opcode)];
        return totals;
    }

    /// <summary>
    /// One request of so many of each thread is kept from now on until <see cref="TakeSamples"/>; 0 ends that. Those for locks
    /// that may be waited for are counted as a thread's of their own.
    /// </summary>
    public void Sample(int every)
    {
        lock (_lock)
        {
            _sampleEvery = every;
            foreach (RequestRecorder recorder in _recorders)
            {
                recorder.Sample(every);
            }
        }
    }

    /// <summary>Hands over what was kept since the last time; one thread at a time.</summary>
    public void TakeSamples(Action<RequestSample> take)
    {
        foreach (RequestRecorder recorder in _recorders)
        {
            while (recorder.Sampler is { } sampler && sampler.TryTake(out RequestSample sample))
            {
                take(sample);
            }
        }
    }

    /// <summary>What a thread that is about to serve requests counts with, until it ends.</summary>
    internal RequestRecorder Rent()
    {
        lock (_lock)
        {
            if (_free.TryPop(out RequestRecorder? free))
            {
                return free;
            }

            RequestRecorder recorder = new(this);
            recorder.Sample(_sampleEvery);
            _recorders = [.. _recorders, recorder];
            return recorder;
        }
    }

    /// <summary>The counts stay.</summary>
    internal void Return(RequestRecorder recorder)
    {
        lock (_lock)
        {
            _free.Push(recorder);
        }
    }

    internal void CountMalformed() => Interlocked.Increment(ref _malformed);

    internal void CountRead(long bytes) => Interlocked.Add(ref _payload.Read, bytes);

    internal void CountWritten(long bytes) => Interlocked.Add(ref _payload.Written, bytes);

    internal void CountError(FuseOpcode opcode, Errno error) =>
        Interlocked.Increment(ref _errors[((int)opcode * ErrnoIndex.Count) + ErrnoIndex.Of(error)]);

    /// <summary>A request that had to wait has its result, on whichever thread.</summary>
    internal void FinishWait(FuseRequest request, Errno error) => FinishWait(request.Opcode, request.Node, request.ArrivedAt, error);

    /// <inheritdoc cref="FinishWait(FuseRequest, Errno)"/>
    internal void FinishWait(FuseOpcode opcode, NodeId node, long arrivedAt, Errno error)
    {
        if (!MeasuresRequests)
        {
            return;
        }

        lock (_lock)
        {
            _waits.Finish(opcode, node, arrivedAt, error);
        }
    }

    private IEnumerable<(Errno Error, long Count)> ReadErrors(FuseOpcode opcode)
    {
        for (int index = 0; index < ErrnoIndex.Count; index++)
        {
            long count = Volatile.Read(ref _errors[((int)opcode * ErrnoIndex.Count) + index]);
            if (count > 0)
            {
                yield return (ErrnoIndex.At(index), count);
            }
        }
    }

    /// <summary>Each in a cache line of its own: one queue reads while another writes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct PayloadBytes
    {
        [FieldOffset(64)]
        public long Read;

        [FieldOffset(128)]
        public long Written;
    }
}
