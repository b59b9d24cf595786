using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Host.Server;
using Coherency.Tests.Hostile;
using Xunit.Abstractions;

namespace Coherency.Tests.Telemetry;

/// <summary>
/// What measuring requests costs those who send them: one guest, whose requests are measured and not measured in turns, in
/// rounds of a few milliseconds that take places with each other, so that a busy machine hits both alike.
/// </summary>
public sealed class RequestCostTests : IDisposable
{
    private const int Pairs = 600;

    /// <summary>Of the median of many pairs, which a machine that does other things too moves little.</summary>
    private const double CostMax = 1.02;

    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-cost-");
    private readonly GuestServer _server;
    private readonly VirtioFsGuest _guest;

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
        _guest = VirtioFsGuest.Connect(socket);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void Measuring_a_lookup_costs_less_than_two_percent() =>
        Assert.InRange(MeasureCost("LOOKUP", 400, () => _guest.Fuse.Lookup(NodeId.Root, "file"u8)), 0, CostMax);

    [Fact]
    public void Measuring_the_cheapest_request_costs_less_than_two_percent() =>
        Assert.InRange(MeasureCost("GETATTR", 1000, () => _guest.Fuse.GetAttr(NodeId.Root)), 0, CostMax);

    /// <summary>The median of the ratios of rounds that followed each other.</summary>
    private double MeasureCost(string operation, int requests, Action request)
    {
        RequestCounters counters = _server.Endpoints[0].Session.Counters;
        List<double> ratios = [];
        List<double> without = [];
        // The first rounds let the runtime compile for good.
        for (int pair = -Pairs / 4; pair < Pairs; pair++)
        {
            bool measuredFirst = pair % 2 == 0;
            double first = Time(counters, measuredFirst, requests, request);
            double second = Time(counters, !measuredFirst, requests, request);
            if (pair >= 0)
            {
                ratios.Add(measuredFirst ? first / second : second / first);
                without.Add(measuredFirst ? second : first);
            }
        }

        ratios.Sort();
        without.Sort();
        double median = ratios[Pairs / 2];
        _output.WriteLine($"{operation}: {without[Pairs / 2] / requests:F2} us without; with it {median:F4} of that (quartiles {ratios[Pairs / 4]:F4} and {ratios[Pairs * 3 / 4]:F4}, {Pairs} pairs of {requests} requests)");
        return median;
    }

    /// <summary>Microseconds.</summary>
    private static double Time(RequestCounters counters, bool isMeasured, int requests, Action request)
    {
        counters.MeasuresRequests = isMeasured;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < requests; i++)
        {
            request();
        }

        return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }
}
