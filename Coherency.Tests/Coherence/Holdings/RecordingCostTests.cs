using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What it costs a request that its answer is written down: interleaved with one that is not.</summary>
[Collection(TimedTests.Name)]
public sealed class RecordingCostTests(ITestOutputHelper output)
{
    private const int Rounds = 200;
    private const int RequestsPerRound = 200;

    /// <summary>Without the queue and its threads: from the decoded request to the reply, system calls included.</summary>
    [Fact]
    public void It_costs_a_request_little()
    {
        using HoldingsBed bed = new();
        bed.WriteFile("f");
        using DirectClient recorded = bed.ConnectDirectly("recorded");
        using DirectClient plain = bed.ConnectDirectly("plain", isRecorded: false);
        NodeId node = recorded.Lookup("f\0"u8);
        plain.Lookup("f\0"u8);
        Compare("GETATTR", recorded, plain, client => client.GetAttr(node));
        Compare("LOOKUP", recorded, plain, client => client.Send(FuseOpcode.Lookup, 1, "f\0"u8));
        Compare("LOOKUP of what is not there", recorded, plain, client => client.Send(FuseOpcode.Lookup, 1, "none\0"u8));
    }

    /// <summary>No more than one that is not. The least of some rounds: code that is not optimised yet boxes.</summary>
    [Fact]
    public void A_request_that_is_written_down_allocates_no_more()
    {
        using HoldingsBed bed = new();
        bed.WriteFile("f");
        using DirectClient recorded = bed.ConnectDirectly("recorded");
        using DirectClient plain = bed.ConnectDirectly("plain", isRecorded: false);
        NodeId node = recorded.Lookup("f\0"u8);
        plain.Lookup("f\0"u8);
        (string Name, Action<DirectClient> Request)[] requests =
        [
            ("GETATTR", client => client.GetAttr(node)),
            ("LOOKUP", client => client.Send(FuseOpcode.Lookup, 1, "f\0"u8)),
            ("LOOKUP of what is not there", client => client.Send(FuseOpcode.Lookup, 1, "none\0"u8)),
            ("RENAME", client => client.Send(FuseOpcode.Rename, 1, "\u0001\0\0\0\0\0\0\0g\0h\0"u8)),
            ("UNLINK", client => client.Send(FuseOpcode.Unlink, 1, "g\0"u8)),
        ];
        foreach ((string name, Action<DirectClient> request) in requests)
        {
            long with = long.MaxValue;
            long without = long.MaxValue;
            for (int round = 0; round < 20; round++)
            {
                with = Math.Min(with, AllocatedBytes(recorded, request));
                without = Math.Min(without, AllocatedBytes(plain, request));
            }

            output.WriteLine($"{name}: {with} bytes for {RequestsPerRound} requests written down, {without} not");
            Assert.Equal(without, with);
        }
    }

    private static long AllocatedBytes(DirectClient client, Action<DirectClient> request)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < RequestsPerRound; i++)
        {
            request(client);
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Fact]
    public void What_is_written_down_again_takes_a_fraction_of_a_microsecond()
    {
        using HeldFixture fixture = new();
        double name = double.MaxValue;
        double attributes = double.MaxValue;
        for (int round = 0; round < 20; round++)
        {
            name = Math.Min(name, MeasureOne(() => fixture.Give(1, "file-0000001.c"u8, 12345)));
            attributes = Math.Min(
                attributes,
                MeasureOne(() => fixture.Held.GiveAttributes(fixture, fixture.Held.Start(), new NodeId(12345), TimeSpan.MaxValue)));
        }

        output.WriteLine($"an inode by its name: {name:F0} ns, attributes: {attributes:F0} ns");
        Assert.True(name < 2_000);
    }

    /// <summary>Nanoseconds.</summary>
    private static double MeasureOne(Action work)
    {
        const int Times = 50_000;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Times; i++)
        {
            work();
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Times;
    }

    [Fact]
    public void It_costs_a_change_little()
    {
        using HeldFixture written = new();
        ShareGroup plain = new();
        TableView view = new(plain, VersionTableWriter.CreateAnonymous(new VersionTableDescription("t", 1, 1 << 20, 1000)));
        Assert.True(view.TryFollow());
        double with = double.MaxValue;
        double without = double.MaxValue;
        for (int round = 0; round < 20; round++)
        {
            with = Math.Min(with, MeasureChanges(written.Group));
            without = Math.Min(without, MeasureChanges(plain));
        }

        output.WriteLine($"a change of three slots in one view: {with:F0} ns written down, {without:F0} ns not");
        Assert.True(with - without < 2_000);
        view.Dispose();
    }

    /// <summary>Nanoseconds of one change.</summary>
    private static double MeasureChanges(ShareGroup group)
    {
        const int Changes = 20_000;
        long start = Stopwatch.GetTimestamp();
        for (ulong i = 0; i < Changes; i++)
        {
            using (group.Begin(null, [TouchedObject.Inode(i), TouchedObject.Inode(i * 3), TouchedObject.Inode(7)],
                new ChangeOrigin(ChangeOperation.Unlink)))
            {
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Changes;
    }

    [Fact]
    public void It_allocates_nothing()
    {
        using HeldFixture fixture = new();
        Work(fixture, 2_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Work(fixture, 20_000);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static void Work(HeldFixture fixture, int count)
    {
        for (int i = 0; i < count; i++)
        {
            NodeId node = new((ulong)(1000 + (i * 7919)));
            ReadOnlySpan<byte> name = [(byte)('a' + (i % 26)), (byte)('a' + (i / 26 % 26)), (byte)('a' + (i / 676 % 26))];
            fixture.Give(1, name, node.Value, StatFlags.S_IFLNK);
            fixture.Held.GiveAttributes(fixture, fixture.Held.Start(), node, TimeSpan.FromSeconds(1));
            fixture.Held.GiveContent(fixture, fixture.Held.Start(), node);
            fixture.Held.GiveAbsent(fixture, fixture.Held.Start(), NodeId.Root, "absent"u8, TimeSpan.FromSeconds(1));
            fixture.Held.Renamed(fixture, fixture.Held.Start(), NodeId.Root, name, NodeId.Root, "renamed"u8, false);
            fixture.Held.Removed(fixture, NodeId.Root, "renamed"u8);
            if (i % 3 == 0)
            {
                fixture.Held.Forget(fixture, node, 1);
            }
        }
    }

    private void Compare(string what, DirectClient recorded, DirectClient plain, Action<DirectClient> request)
    {
        double with = double.MaxValue;
        double without = double.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            with = Math.Min(with, Measure(recorded, request));
            without = Math.Min(without, Measure(plain, request));
        }

        double ratio = with / without;
        output.WriteLine(
            $"{what}: {with:F0} ns written down, {without:F0} ns not (best of {Rounds} rounds of {RequestsPerRound}): " +
            $"{(ratio - 1) * 100:F1} %");
        Assert.True(ratio < 1.5, $"{what} takes {ratio:F2} times as long");
    }

    /// <summary>Nanoseconds of one request.</summary>
    private static double Measure(DirectClient client, Action<DirectClient> request)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < RequestsPerRound; i++)
        {
            request(client);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / RequestsPerRound;
    }
}
