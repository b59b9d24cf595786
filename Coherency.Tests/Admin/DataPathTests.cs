using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Guest;
using Xunit.Abstractions;

namespace Coherency.Tests.Admin;

/// <summary>Guests do not notice that somebody asks the daemon.</summary>
public sealed class DataPathTests(ITestOutputHelper output) : IDisposable
{
    private const int Rounds = 9;
    private const int Clients = 1000;

    /// <summary>
    /// On two cores that the guest and the daemon's queue have for themselves; each stream that changes cost is one more reason to
    /// wake. Measured: 0.97 to 1.02. The bound is that of a machine on which other tests run.
    /// </summary>
    private const double RatioMin = 0.7;

    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(1);

    private readonly AdminDaemon _daemon = new();

    public void Dispose() => _daemon.Dispose();

    [Fact]
    public void Requests_go_on_while_a_thousand_clients_watch()
    {
        using VirtioFsGuest guest = VirtioFsGuest.Connect(_daemon.SocketOf("a"));
        Measure(guest);
        List<double> ratios = [];
        for (int round = 0; round < Rounds; round++)
        {
            double alone = Measure(guest);
            double watched = MeasureWatched(guest);
            ratios.Add(watched / alone);
            output.WriteLine($"{alone:N0} requests/s alone, {watched:N0} with {Clients} clients: {watched / alone:0.000}");
        }

        double median = ratios.Order().ElementAt(Rounds / 2);
        output.WriteLine($"median {median:0.000}");
        Assert.True(median >= RatioMin, $"with {Clients} clients a guest gets {median:0.000} of its requests");
    }

    private double MeasureWatched(VirtioFsGuest guest)
    {
        using ForeignClient.Running clients = ForeignClient.StartPython(_daemon.Target, "hold", $"{Clients}");
        Assert.Equal("{1}", clients.ReadLine());
        return Measure(guest);
    }

    /// <summary>Requests per second of one thread.</summary>
    private static double Measure(VirtioFsGuest guest)
    {
        long requests = 0;
        Stopwatch time = Stopwatch.StartNew();
        while (time.Elapsed < RoundTime)
        {
            guest.Fuse.GetAttr(NodeId.Root);
            requests++;
        }

        return requests / time.Elapsed.TotalSeconds;
    }
}
