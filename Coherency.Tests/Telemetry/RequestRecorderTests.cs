using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;

namespace Coherency.Tests.Telemetry;

/// <summary>Every request ends up in a bucket, timed or not, and what is timed is in the right one.</summary>
public sealed class RequestRecorderTests
{
    private const int Count = 1_003;

    private readonly RequestCounters _counters = new();
    private readonly RequestRecorder _recorder;

    public RequestRecorderTests()
    {
        _recorder = _counters.Rent();
        _recorder.BeginLine(Stopwatch.GetTimestamp());
    }

    [Fact]
    public void Few_of_the_cheap_are_timed_and_all_are_counted()
    {
        int timed = Enumerable.Range(0, Count).Count(_ => Carry(FuseOpcode.GetAttr) != 0);
        // The first, and each thirty-second after it.
        Assert.Equal(1 + ((Count - 1) / 32), timed);
        OperationTotals before = _counters.Read(FuseOpcode.GetAttr);
        Assert.Equal((Count, Count), (before.Started, before.Finished));
        Assert.InRange(before.Durations.Count, Count - 15, Count);

        _recorder.EndLine();
        Assert.Equal(Count, _counters.Read(FuseOpcode.GetAttr).Durations.Count);
    }

    /// <summary>As when measuring begins between a request's arrival and its end.</summary>
    [Fact]
    public void A_request_that_stood_in_no_line_harms_nobody()
    {
        _recorder.Begin(FuseOpcode.GetAttr);
        _recorder.Finish(FuseOpcode.GetAttr, NodeId.Root, 0, Errno.None);
        _recorder.EndLine();
        Assert.Equal(1, _counters.Read(FuseOpcode.GetAttr).Durations.Count);
    }

    [Fact]
    public void Of_the_others_each_is_timed()
    {
        Assert.All(Enumerable.Range(0, Count), _ => Assert.NotEqual(0, Carry(FuseOpcode.Write)));
        Assert.Equal(Count, _counters.Read(FuseOpcode.Write).Durations.Count);
    }

    [Fact]
    public void Alone_even_the_cheapest_is_timed()
    {
        for (int i = 0; i < Count; i++)
        {
            _recorder.BeginLine(Stopwatch.GetTimestamp());
            Assert.NotEqual(0, Carry(FuseOpcode.GetAttr));
            _recorder.EndLine();
        }

        Assert.Equal(Count, _counters.Read(FuseOpcode.GetAttr).Durations.Count);
    }

    [Fact]
    public void A_duration_is_what_passed_since_the_arrival()
    {
        _recorder.Begin(FuseOpcode.Write);
        _recorder.Finish(FuseOpcode.Write, NodeId.Root, Stopwatch.GetTimestamp() - (3 * Stopwatch.Frequency), Errno.ENOSPC);
        OperationTotals totals = _counters.Read(FuseOpcode.Write);
        int bucket = Array.FindIndex(totals.Durations.Counts, count => count == 1);
        Assert.Equal(5_000_000_000, DurationBuckets.Bounds[bucket]);
        Assert.Equal([(Errno.ENOSPC, 1)], totals.Errors);
    }

    [Fact]
    public void One_request_in_so_many_is_kept_for_a_trace()
    {
        const int Every = 7;
        _counters.Sample(Every);
        for (int i = 0; i < Count; i++)
        {
            Carry(FuseOpcode.GetAttr);
        }

        List<RequestSample> kept = [];
        _counters.TakeSamples(kept.Add);
        Assert.Equal(Count / Every, kept.Count);
        Assert.Equal(0, _counters.DroppedSamples);
    }

    [Fact]
    public void Samples_that_nobody_takes_are_dropped_and_counted()
    {
        const int More = 5_000;
        _counters.Sample(1);
        for (int i = 0; i < More; i++)
        {
            Carry(FuseOpcode.GetAttr);
        }

        int kept = 0;
        _counters.TakeSamples(_ => kept++);
        Assert.Equal(More, kept + _counters.DroppedSamples);
        Assert.InRange(kept, 1, More - 1);
    }

    [Fact]
    public void What_ended_threads_counted_stays()
    {
        Carry(FuseOpcode.Write);
        _counters.Return(_recorder);
        Assert.Same(_recorder, _counters.Rent());
        Assert.NotSame(_recorder, _counters.Rent());
        Assert.Equal(1, _counters[FuseOpcode.Write]);
    }

    private long Carry(FuseOpcode opcode)
    {
        long arrivedAt = _recorder.Arrive(opcode);
        _recorder.Begin(opcode);
        _recorder.Finish(opcode, NodeId.Root, arrivedAt, Errno.None);
        return arrivedAt;
    }
}
