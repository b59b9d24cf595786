using System.Diagnostics;
using Coherency.Core.Fuse;
using Coherency.Guest;
using Xunit.Abstractions;

namespace Coherency.Tests.Admin;

/// <summary>Guests do not notice how many ask the daemon: a thousand that watch, against one.</summary>
[Trait("Category", "Slow")]
[Collection(TimedTests.Name)]
public sealed class DataPathTests(ITestOutputHelper output) : IDisposable
{
    private const int Rounds = 9;
    private const int Many = 1000;

    /// <summary>
    /// The clients are on the same two cores, and so is whatever else the machine does: this finds a daemon that lets guests wait,
    /// and prints the figure for people.
    /// </summary>
    private const double RatioMin = 0.5;

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
            double first = MeasureWatched(guest, round % 2 == 0 ? 1 : Many);
            double second = MeasureWatched(guest, round % 2 == 0 ? Many : 1);
            (double few, double many) = round % 2 == 0 ? (first, second) : (second, first);
            ratios.Add(many / few);
            output.WriteLine($"{few:N0} requests/s with one client, {many:N0} with {Many}: {many / few:0.000}");
        }

        double median = ratios.Order().ElementAt(Rounds / 2);
        output.WriteLine($"median {median:0.000}");
        Assert.True(median >= RatioMin, $"with {Many} clients a guest gets {median:0.000} of its requests");
    }

    private double MeasureWatched(VirtioFsGuest guest, int clients)
    {
        using Conversation running = ForeignClient.StartPython(_daemon.Target, "hold", $"{clients}");
        Assert.Equal("{1}", running.ReadLine());
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
