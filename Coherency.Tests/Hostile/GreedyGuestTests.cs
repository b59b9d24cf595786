using System.Diagnostics;
using Coherency.Core.Linux;
using Coherency.Tests.Daemon;
using Xunit.Abstractions;

namespace Coherency.Tests.Hostile;

/// <summary>
/// Whatever a guest takes all it can get of, another one beside it finds its files as it left them and gets no error, and when the
/// greedy one is gone, so is what it took. In <c>eng/soak</c> for a minute each.
/// </summary>
[Trait("Category", "Slow")]
public sealed class GreedyGuestTests : IDisposable
{
    /// <summary>Few descriptors for the daemon, so that what costs one soon runs out.</summary>
    private const int DescriptorsMax = 2048;

    private const int RoundsMin = 20;

    private const int OpensMax = 2 * DescriptorsMax;

    private static readonly TimeSpan Time = TimeSpan.FromMilliseconds(Soak.Count(test: 300, soak: 60_000));

    private readonly ITestOutputHelper _output;
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-greedy-");
    private readonly RunningDaemon _daemon;

    public GreedyGuestTests(ITestOutputHelper output)
    {
        _output = output;
        string share = _work.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(share, "file"), "text");
        File.WriteAllText(Path.Combine(share, "file2"), "text");
        _daemon = new RunningDaemon("prlimit",
        [
            $"--nofile={DescriptorsMax}:{DescriptorsMax}", "dotnet", RunningDaemon.Program, "serve", "--shared-dir", share,
            "--guest", $"greedy={Socket("greedy")}", "--guest", $"honest={Socket("honest")}",
        ]);
        _daemon.WaitUntilReady();
    }

    public static TheoryData<string> Greeds => [.. GreedyGuest.Greeds.Keys];

    public void Dispose()
    {
        _daemon.Dispose();
        _work.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Greeds))]
    public async Task A_guest_beside_a_greedy_one_notices_nothing(string greed)
    {
        using HonestGuest honest = new(Socket("honest"));
        int before = CountOpensThatAreGranted();
        double alone = Work(honest, Time);
        using GreedyGuest greedy = new(Socket("greedy"));
        using CancellationTokenSource end = new();
        Task taking = Task.Factory.StartNew(
            () =>
            {
                while (!end.IsCancellationRequested)
                {
                    greedy.Take(GreedyGuest.Greeds[greed]);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        double beside;
        try
        {
            beside = Work(honest, Time);
        }
        finally
        {
            await end.CancelAsync();
            await taking;
        }

        greedy.Dispose();
        _output.WriteLine(
            $"{greedy.Granted} times, answers {string.Join(", ", greedy.Errors)}; the other one at {beside / alone:F2} of its rate");
        Assert.NotEqual(0, greedy.Granted);
        await Eventually.IsTrueAsync(() => CountOpensThatAreGranted() >= before);
        honest.GoRound();
    }

    /// <summary>Rounds in a second.</summary>
    private static double Work(HonestGuest honest, TimeSpan time)
    {
        Stopwatch watch = Stopwatch.StartNew();
        int before = honest.Rounds;
        while (watch.Elapsed < time || honest.Rounds - before < RoundsMin)
        {
            honest.GoRound();
        }

        return (honest.Rounds - before) / watch.Elapsed.TotalSeconds;
    }

    /// <summary>As many descriptors as the greedy guest can get now.</summary>
    private int CountOpensThatAreGranted()
    {
        using GreedyGuest greedy = new(Socket("greedy"));
        while (greedy.Granted < OpensMax && greedy.Errors.Count == 0)
        {
            greedy.Take(GreedyGuest.Greeds["open files"]);
        }

        Assert.Equal([Errno.ENFILE], greedy.Errors);
        return greedy.Granted;
    }

    private string Socket(string name) => Path.Combine(_work.FullName, $"{name}.sock");
}
