using Coherency.Guest;
using Coherency.Host.Server;
using Xunit.Abstractions;

namespace Coherency.Tests.Histories;

/// <summary>
/// Guests fight over a few names, and every history must be linearizable for each pair of names and each attribute. How long:
/// COHERENCY_HISTORY_OPERATIONS; from which seed: COHERENCY_HISTORY_SEED (eng/soak sets both). A seed repeats what each thread
/// does, not how the threads take turns.
/// </summary>
[Collection(TimedTests.Name)]
public sealed class HistoryTests(ITestOutputHelper output)
{
    /// <summary>One history is held in memory and checked as a whole.</summary>
    private const int OperationsPerHistory = 100_000;

    private const int OperationsUnlessTold = 200_000;
    private const int OperationsOfControl = 20_000;

    /// <summary>What a broken rule does, one history of a few seconds may miss.</summary>
    private const int HistoriesOfControlMax = 10;

    /// <summary>Histories take turns: guests against guests, and threads of a guest against one another.</summary>
    private static readonly (int Guests, int Threads)[] Shapes = [(3, 3), (2, 14), (4, 1), (1, 16), (4, 3)];

    private static int Operations => FromEnvironment("COHERENCY_HISTORY_OPERATIONS") ?? OperationsUnlessTold;

    private static int FirstSeed => FromEnvironment("COHERENCY_HISTORY_SEED") ?? 1;

    [Fact]
    public void Guests_that_read_the_table_never_see_what_is_stale()
    {
        for (int i = 0; i * OperationsPerHistory < Operations; i++)
        {
            AssertNoViolation(new HistorySettings
            {
                Seed = FirstSeed + i,
                Operations = Math.Min(OperationsPerHistory, Operations - (i * OperationsPerHistory)),
                Guests = Shapes[i % Shapes.Length].Guests,
                ThreadsPerGuest = Shapes[i % Shapes.Length].Threads,
                Connect = static (guest, table) => new CoherentClient(guest, table),
            });
        }
    }

    [Fact]
    public void Guests_that_open_what_they_read_never_see_what_is_stale() => AssertNoViolation(Control(
        FirstSeed, CacheMode.Coherent, static (guest, table) => new CoherentClient(guest, table, withoutOpens: false)));

    [Fact]
    public void Guests_without_a_cache_never_see_what_is_stale() => AssertNoViolation(Control(
        FirstSeed, CacheMode.Never, static (guest, _) => new SimpleCache(guest, new AskAlways())));

    [Fact]
    public void Guests_that_sample_before_each_request_never_see_what_is_stale() => AssertNoViolation(Control(
        FirstSeed, CacheMode.Coherent, static (guest, table) => new SimpleCache(guest, table, reader => new SampleBefore(reader))));

    [Fact]
    public void Guests_that_believe_timeouts_are_found_out() => AssertFoundOut(
        CacheMode.Auto, static (guest, _) => new SimpleCache(guest, new BelieveTimeouts()));

    [Fact]
    public void Guests_that_sample_after_the_reply_are_found_out() => AssertFoundOut(
        CacheMode.Coherent, static (guest, table) => new SimpleCache(guest, table, reader => new SampleAfter(reader)));

    [Fact]
    public void Guests_that_believe_what_they_have_changed_themselves_are_found_out() => AssertFoundOut(
        CacheMode.Coherent, static (guest, table) => new SimpleCache(
            guest, table, reader => new SampleBefore(reader), forgetsAfterChange: false));

    private static HistorySettings Control(int seed, CacheMode cache, Func<VirtioFsGuest, string, ITreeClient> connect) =>
        new() { Seed = seed, Operations = OperationsOfControl, ThreadsPerGuest = 1, Cache = cache, Connect = connect };

    private void AssertNoViolation(HistorySettings settings)
    {
        HistoryRun run = Execute(settings);
        if (run.Violations.Count > 0)
        {
            string file = Path.Combine(Path.GetTempPath(), $"coherency-violations-{settings.Seed}.txt");
            run.History.Write(file, run.Violations);
            Assert.Fail($"{run}; all of it is in {file}\n{string.Concat(run.Violations.Take(3))}");
        }
    }

    private void AssertFoundOut(CacheMode cache, Func<VirtioFsGuest, string, ITreeClient> connect)
    {
        for (int seed = FirstSeed; seed < FirstSeed + HistoriesOfControlMax; seed++)
        {
            HistoryRun run = Execute(Control(seed, cache, connect));
            if (run.Violations.Count > 0)
            {
                output.WriteLine($"for example: {run.Violations.MinBy(violation => violation.Steps.Count)}");
                return;
            }
        }

        Assert.Fail($"{HistoriesOfControlMax} histories of a cache that is wrong, and no violation");
    }

    private HistoryRun Execute(HistorySettings settings)
    {
        HistoryRun run = HistoryRun.Execute(settings);
        output.WriteLine(run.ToString());
        return run;
    }

    private static int? FromEnvironment(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : null;
}
