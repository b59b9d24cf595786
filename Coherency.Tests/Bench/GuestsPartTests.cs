using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Coherency.Bench.Contenders;
using Coherency.Bench.Guests;
using Coherency.Bench.Results;
using Coherency.Bench.Suites;

namespace Coherency.Tests.Bench;

/// <summary>The benchmark's level of virtual machines, on a tree that is small enough for emulation.</summary>
[Trait("Category", "Vm")]
public sealed class GuestsPartTests : IDisposable
{
    private const int Files = 300;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-guests-test-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Programs_find_what_they_should_and_stale_answers_are_told_beside_their_times()
    {
        string[] contenders = ["coherencyd coherent", "virtiofsd-rust always"];
        SuiteRun run = new(_folder.FullName, _ => { });
        new GuestsPart(
            new GuestsPlan(contenders, [GuestWorkload.Find("git-status"), GuestWorkload.Find("find")], Files, Rounds: 1, Looks: 1),
            ContenderList.FindOurs()).Run(run);

        Assert.Equal(contenders, run.Contenders.Select(contender => contender.Name));
        Observation[] durations = [.. run.Observations.Where(row => row.Quantity == Quantity.Duration)];
        // Two programs, alone and beside another guest, cold and warm, for two contenders.
        Assert.Equal(16, durations.Length);
        Assert.All(durations, row => Assert.InRange(Assert.Single(row.Samples), 0.001, 600));
        Assert.All(durations.Where(row => row.Contender == contenders[0]), row => Assert.Null(row.Remark));
        foreach (string contender in contenders)
            Assert.True(RequestsOf(run, contender, CacheState.Warm) < RequestsOf(run, contender, CacheState.Cold), contender);

        Assert.All(run.Staleness.Where(row => row.Contender == contenders[0]), row => Assert.Equal(0, row.Stale));
        Assert.All(run.Staleness.Where(row => row.Contender == contenders[1]), row => Assert.InRange(row.Stale, 1, row.Looks));
        Assert.Equal(4, run.Staleness.Count);
    }

    [Fact]
    public void What_is_no_virtio_fs_daemon_takes_part()
    {
        string[] contenders = ["9p none", "ext4", "nfs"];
        SuiteRun run = new(_folder.FullName, _ => { });
        new GuestsPart(new GuestsPlan(contenders, [GuestWorkload.Find("find")], Files, Rounds: 1, Looks: 0), null).Run(run);

        Assert.Equal(contenders, run.Contenders.Select(contender => contender.Name));
        Observation[] durations = [.. run.Observations.Where(row => row is { Quantity: Quantity.Duration, Conditions.Guests: 1 })];
        Assert.All(durations, row => Assert.True(row is { Samples.Count: 1, Remark: null }, $"{row.Contender}: {row.Remark}"));
        Assert.Equal(contenders.SelectMany(contender => new[] { contender, contender }), durations.Select(row => row.Contender).Order());
    }

    [Fact]
    public void A_guest_that_ends_costs_its_contender_one_program()
    {
        GuestWorkload death = new("death", _ => "ending the guest", _ => "echo o >/proc/sysrq-trigger; sleep 600", _ => "");
        SuiteRun run = new(_folder.FullName, _ => { });
        new GuestsPart(
            new GuestsPlan(["coherencyd coherent"], [death, GuestWorkload.Find("find")], Files, Rounds: 1, Looks: 0),
            ContenderList.FindOurs()).Run(run);

        Observation[] durations = [.. run.Observations.Where(row => row.Quantity == Quantity.Duration)];
        Assert.All(
            durations.Where(row => row.Scenario == "death"), row => Assert.Contains("got no answer", row.Remark, StringComparison.Ordinal));
        Assert.All(durations.Where(row => row.Scenario == "death"), row => Assert.Empty(row.Samples));
        Assert.Equal(4, durations.Count(row => row is { Scenario: "find", Samples.Count: 1, Remark: null }));
    }

    [Fact]
    public async Task An_interrupt_does_not_wait_for_a_program_in_a_guest()
    {
        GuestWorkload sleep = new("sleep", _ => "sleeping", _ => "sleep 250", _ => "");
        using CancellationTokenSource interrupt = new();
        TaskCompletionSource begun = new();
        SuiteRun run = new(
            _folder.FullName, name => _ = name.StartsWith("sleep", StringComparison.Ordinal) && begun.TrySetResult(), interrupt.Token);
        GuestsPart part = new(new GuestsPlan(["ext4"], [sleep], Files, Rounds: 1, Looks: 0), null);
        Task running = Task.Run(() => part.Run(run));
        await await Task.WhenAny(begun.Task, running);
        await Task.Delay(TimeSpan.FromSeconds(2));
        Stopwatch waited = Stopwatch.StartNew();
        await interrupt.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.InRange(waited.Elapsed.TotalSeconds, 0, 60);
    }

    [Fact]
    public async Task Requests_in_the_rings_are_what_the_daemon_counted()
    {
        TestTree tree = TestTree.Create(Path.Combine(_folder.FullName, "template"), Files);
        await using CoherencydBed bed = (CoherencydBed)GuestContenders.Make(
            "coherencyd coherent", Path.Combine(_folder.FullName, "ours"), ContenderList.FindOurs());
        await bed.SetUpAsync(tree);
        (RequestCounts ringsBefore, long daemonBefore) = await CountBothAsync(bed);
        Assert.Equal(0, (await bed.First.TimeAsync(GuestWorkload.Find("git-status").Run(tree))).ExitCode);
        (RequestCounts rings, long daemon) = await CountBothAsync(bed);
        RequestCounts counted = rings - ringsBefore;
        Assert.InRange(counted.Requests, Files, 20 * Files);
        Assert.Equal(daemon - daemonBefore, counted.Requests + counted.Forgets);
    }

    private static double RequestsOf(SuiteRun run, string contender, CacheState state) =>
        Assert.Single(run.Observations.Single(row =>
            row is { Scenario: "git-status", Quantity: Quantity.Requests, Conditions.Guests: 1 } && row.Contender == contender
                && row.Conditions.State == state).Samples);

    /// <summary>Of the same moment: the module sends a request of its own every half a minute.</summary>
    private static async Task<(RequestCounts Rings, long Daemon)> CountBothAsync(CoherencydBed bed)
    {
        while (true)
        {
            long daemon = CountOfDaemon(bed);
            RequestCounts rings = await bed.First.Counter.ReadAsync();
            if (CountOfDaemon(bed) == daemon)
                return (rings, daemon);
        }
    }

    /// <summary>All requests of the guest, from the daemon's own metrics.</summary>
    private static long CountOfDaemon(CoherencydBed bed)
    {
        ChildResult metrics = ChildProcess.Run(
            "curl", ["-sS", "--http2-prior-knowledge", "--unix-socket", bed.AdminSocket, "http://localhost/metrics"]);
        Assert.True(metrics.ExitCode == 0, metrics.Errors);
        MatchCollection counts = Regex.Matches(
            metrics.Output, """^coherency_fuse_requests_total\{[^}]*coherency_guest="a"[^}]*\} (\d+)""", RegexOptions.Multiline);
        Assert.NotEmpty(counts);
        return counts.Sum(count => long.Parse(count.Groups[1].Value, CultureInfo.InvariantCulture));
    }
}
