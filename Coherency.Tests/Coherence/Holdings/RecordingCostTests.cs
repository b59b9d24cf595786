using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What it costs a request that its answer is written down: interleaved with one that is not.</summary>
[Collection(nameof(TimedTests))]
public sealed class RecordingCostTests(ITestOutputHelper output)
{
    private const int Rounds = 200;
    private const int RequestsPerRound = 200;

    [Fact]
    public void It_costs_a_request_little()
    {
        using HoldingsBed bed = new();
        bed.WriteFile("f");
        HeldGuestClient recorded = bed.Connect("recorded");
        HeldGuestClient plain = bed.Connect("plain", isRecorded: false);
        Compare("GETATTR", recorded, plain, (guest, node) => guest.Fuse.GetAttr(node));
        Compare("LOOKUP", recorded, plain, (guest, _) => guest.Lookup("f"));
        Compare("LOOKUP of what is not there", recorded, plain, (guest, _) => guest.Lookup("none"));
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
            attributes = Math.Min(attributes, MeasureOne(() => fixture.Held.GiveAttributes(fixture, fixture.Held.Start(), new NodeId(12345), TimeSpan.MaxValue)));
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
            using (group.Begin(null, [TouchedObject.Inode(i), TouchedObject.Inode(i * 3), TouchedObject.Inode(7)], new ChangeOrigin(ChangeOperation.Unlink)))
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

    private void Compare(string what, HeldGuestClient recorded, HeldGuestClient plain, Action<HeldGuestClient, NodeId> request)
    {
        double with = double.MaxValue;
        double without = double.MaxValue;
        NodeId node = recorded.Lookup("f");
        plain.Lookup("f");
        for (int round = 0; round < Rounds; round++)
        {
            with = Math.Min(with, Measure(recorded, node, request));
            without = Math.Min(without, Measure(plain, node, request));
        }

        double ratio = with / without;
        output.WriteLine($"{what}: {with:F2} us written down, {without:F2} us not (best of {Rounds} rounds of {RequestsPerRound}): {(ratio - 1) * 100:F1} %");
        Assert.True(ratio < 1.5, $"{what} takes {ratio:F2} times as long");
    }

    /// <summary>Microseconds of one request.</summary>
    private static double Measure(HeldGuestClient guest, NodeId node, Action<HeldGuestClient, NodeId> request)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < RequestsPerRound; i++)
        {
            request(guest, node);
        }

        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / RequestsPerRound;
    }
}
