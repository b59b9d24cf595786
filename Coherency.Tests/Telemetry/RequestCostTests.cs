using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Coherency.Tests.Hostile;
using Xunit.Abstractions;

namespace Coherency.Tests.Telemetry;

/// <summary>
/// What measuring requests costs: the time in which a queue's thread works off a ring that is full from the start, measured and
/// not measured in turns. A full ring keeps the thread busy from one end to the other, so that nothing but its own work counts;
/// with one request at a time, it would look for the next one most of the time, and a little delay there can even make it sooner
/// to see it. A measurement counts if it tells no difference where there is none; on a machine that does other things too, another
/// one takes its place. Two hundredths want a quiet machine, so that only eng/soak asks for them;
/// <see cref="RequestRecorderTests"/> counts what costs most, the looks at the clock.
/// </summary>
[Trait("Category", "Soak")]
[Collection(TimedTests.Name)]
public sealed class RequestCostTests : IDisposable
{
    private const int Burst = 256;
    private const int Rounds = 1_000;
    private const int Measurements = 3;
    private const int AttemptsMax = 7;

    /// <summary>
    /// Of the least of the measurements, each of which is the median of many pairs: what a busy machine adds is no cost of measuring.
    /// </summary>
    private const double CostMax = 1.02;

    /// <summary>How far the same may be from itself, for the measurement to say anything about two hundredths.</summary>
    private const double NoiseMax = 0.01;

    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-cost-");
    private readonly GuestServer _server;
    private readonly VirtioFsGuest _guest;
    private readonly RequestSlot[] _slots = new RequestSlot[Burst];
    private readonly RequestSlot[] _completed = new RequestSlot[Burst];

    public RequestCostTests(ITestOutputHelper output)
    {
        _output = output;
        string socket = Path.Combine(_work.FullName, "a.sock");
        ShareConfiguration share = new()
        {
            SharedDir = _work.CreateSubdirectory("share").FullName,
            Guests = [new GuestConfiguration { Name = "a", Socket = socket }],
            NumRequestQueues = 1,
            ThreadPoolSize = 0,
        };
        File.WriteAllText(Path.Combine(share.SharedDir, "file"), "text");
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, new CollectedLog());
        _guest = VirtioFsGuest.Connect(socket, fuseOptions: new FuseConnectionOptions { SlotsPerQueue = Burst, DataBytesMax = 4096 });
        for (int i = 0; i < Burst; i++)
        {
            _slots[i] = Queue.Acquire();
        }
    }

    private RequestQueue Queue => _guest.Connection.RequestQueues[0];

    private RequestCounters Counters => _server.Endpoints[0].Session.Counters;

    public void Dispose()
    {
        foreach (RequestSlot slot in _slots)
        {
            Queue.Release(slot);
        }

        _guest.Dispose();
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Measuring_a_lookup_costs_less_than_two_percent() => Check("LOOKUP", slot =>
    {
        slot.Begin(FuseOpcode.Lookup, NodeId.Root, CallerIdentity.Root);
        slot.Name("file"u8);
        slot.ExpectReply<fuse_entry_out>();
    });

    [Fact]
    public void Measuring_the_cheapest_request_costs_less_than_two_percent() => Check("GETATTR", slot =>
    {
        slot.Begin(FuseOpcode.GetAttr, NodeId.Root, CallerIdentity.Root);
        slot.Argument(default(fuse_getattr_in));
        slot.ExpectReply<fuse_attr_out>();
    });

    private void Check(string operation, Action<RequestSlot> write)
    {
        List<double> controls = [];
        List<double> costs = [];
        for (int i = 0; i < AttemptsMax && costs.Count < Measurements; i++)
        {
            (double control, double cost) = Measure(operation, write);
            controls.Add(control);
            if (Math.Abs(control - 1) <= NoiseMax)
            {
                costs.Add(cost);
            }
        }

        Assert.True(
            costs.Count == Measurements,
            $"What was measured differed from itself too often: {string.Join(", ", controls.Select(control => $"{control:F4}"))}");
        Assert.InRange(costs.Min(), 1 - NoiseMax, CostMax);
    }

    /// <summary>How long requests take that are not measured, and that are, each as a part of the time of those not measured.</summary>
    private (double Control, double Cost) Measure(string operation, Action<RequestSlot> write)
    {
        List<double> costs = [];
        List<double> controls = [];
        List<double> times = [];
        // The first rounds let the runtime compile for good. Each place in a round is each kind's as often as the others'.
        for (int round = -Rounds / 4; round < Rounds; round++)
        {
            double[] microseconds = new double[3];
            for (int i = 0; i < microseconds.Length; i++)
            {
                int kind = (round + Rounds + i) % microseconds.Length;
                microseconds[kind] = Time(isMeasured: kind == 2, write);
            }

            if (round >= 0)
            {
                controls.Add(microseconds[1] / microseconds[0]);
                costs.Add(microseconds[2] / microseconds[0]);
                times.Add(microseconds[0] / Burst);
            }
        }

        (double control, double cost) = (Median(controls), Median(costs));
        _output.WriteLine(
            $"{operation}: {Median(times):F3} us; measured {cost:F4} of that, not measured again {control:F4} ({Rounds} rounds of " +
            $"{Burst} requests each)");
        return (control, cost);
    }

    /// <summary>From the kick to the last reply, in microseconds.</summary>
    private double Time(bool isMeasured, Action<RequestSlot> write)
    {
        Counters.MeasuresRequests = isMeasured;
        foreach (RequestSlot slot in _slots)
        {
            write(slot);
            Queue.Submit(slot, kick: false);
        }

        long start = Stopwatch.GetTimestamp();
        Queue.Kick();
        for (int completed = 0; completed < Burst;)
        {
            int count = Queue.Reap(_completed, Queue.DefaultWait);
            Assert.True(count > 0, "no reply");
            completed += count;
        }

        double elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        Assert.All(_slots, slot => Assert.Equal(Errno.None, slot.ReadError()));
        return elapsed;
    }

    private static double Median(List<double> numbers)
    {
        numbers.Sort();
        return numbers[numbers.Count / 2];
    }
}
