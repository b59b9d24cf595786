using Coherency.Bench.Goals;
using Coherency.Bench.Results;
using static Coherency.Tests.Bench.MadeUpResults;

namespace Coherency.Tests.Bench;

/// <summary>The goals are judged by what was measured: met, missed, or not measured.</summary>
public class GoalTests
{
    private const string Rust = "virtiofsd-rust auto";

    [Fact]
    public void Without_results_nothing_is_met_or_missed() =>
        Assert.All(Judge(new MadeUpResults()), goal => Assert.Equal(GoalState.NotMeasured, goal.State));

    [Theory]
    [InlineData(10, 12, GoalState.Met)]
    [InlineData(10, 11.9, GoalState.Missed)]
    public void A_latency_must_be_a_fifth_better(double ours, double theirs, object state) => Assert.Equal(
        state,
        Find(AtDepth(new MadeUpResults(), 1, ours, theirs), "LOOKUP", "rate and p50").State);

    [Fact]
    public void The_worst_depth_decides_and_is_named()
    {
        MadeUpResults results = AtDepth(AtDepth(new MadeUpResults(), 1, ours: 10, theirs: 20), 32, ours: 10, theirs: 11);
        Goal goal = Find(results, "LOOKUP", "rate and p50");
        Assert.Equal(GoalState.Missed, goal.State);
        Assert.Contains("1.10 times as good as virtiofsd-rust auto (depth 32)", goal.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rate_is_better_when_it_is_larger()
    {
        MadeUpResults results = new MadeUpResults()
            .Daemon("lookup", new Conditions(Depth: 1), Coherent, Quantity.Rate, 100)
            .Daemon("lookup", new Conditions(Depth: 1), Rust, Quantity.Rate, 200);
        Assert.Equal(GoalState.Missed, Find(results, "LOOKUP", "rate and p50").State);
    }

    [Theory]
    [InlineData(190, GoalState.Met)]
    [InlineData(150, GoalState.Missed)]
    public void Two_queues_do_nearly_twice_as_much(double rate, object state)
    {
        MadeUpResults results = new MadeUpResults()
            .Daemon("lookup", new Conditions(Depth: 8, Queues: 1), Coherent, Quantity.Rate, 100)
            .Daemon("lookup", new Conditions(Depth: 8, Queues: 2), Coherent, Quantity.Rate, rate);
        Assert.Equal(state, Find(results, "LOOKUP", "linear").State);
    }

    [Theory]
    [InlineData(1.0, 1.0, GoalState.Met)]
    [InlineData(1.1, 1.0, GoalState.Missed)]
    public void One_guest_is_not_slower_than_the_stale_always(double ours, double theirs, object state)
    {
        MadeUpResults results = new MadeUpResults()
            .Program("untar", Coherent, CacheState.Cold, 1, ours)
            .Program("untar", RustAlways, CacheState.Cold, 1, theirs)
            .Program("untar", "virtiofsd-c always", CacheState.Cold, 1, 5);
        Assert.Equal(state, Find(results, "the title of untar", "not slower").State);
    }

    [Fact]
    public void A_fast_wrong_answer_is_not_a_win()
    {
        MadeUpResults results = new MadeUpResults().Wrong("git-status", Coherent, 0.1).Program(
            "git-status", RustNever, CacheState.Warm, 1, 100);
        Assert.Equal(GoalState.Missed, Find(results, "git status, warm", "\"never\"").State);
    }

    [Theory]
    [InlineData(10, GoalState.Met)]
    [InlineData(9.9, GoalState.Missed)]
    public void A_warm_git_status_is_ten_times_never(double never, object state)
    {
        MadeUpResults results = new MadeUpResults()
            .Program("git-status", Coherent, CacheState.Warm, 1, 1)
            .Program("git-status", RustNever, CacheState.Warm, 1, never);
        Assert.Equal(state, Find(results, "git status, warm", "\"never\"").State);
    }

    [Fact]
    public void With_a_second_guest_only_peers_that_gave_no_stale_answer_count()
    {
        MadeUpResults results = new MadeUpResults()
            .Program("find", Coherent, CacheState.Warm, 2, 1)
            .Program("find", RustAlways, CacheState.Warm, 2, 1)
            .Program("find", RustNever, CacheState.Warm, 2, 6)
            .Stale(RustAlways, looks: 100, stale: 1)
            .Stale(RustNever, looks: 100, stale: 0);
        Goal goal = Find(results, "the title of find", "5 times");
        Assert.Equal(GoalState.Met, goal.State);
        Assert.Contains(RustNever, goal.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_was_not_looked_at_has_not_shown_to_be_never_stale()
    {
        MadeUpResults results = new MadeUpResults()
            .Program("find", Coherent, CacheState.Warm, 2, 1)
            .Program("find", RustNever, CacheState.Warm, 2, 6);
        Assert.Equal(GoalState.NotMeasured, Find(results, "the title of find", "5 times").State);
    }

    [Theory]
    [InlineData(0, GoalState.Met)]
    [InlineData(1, GoalState.Missed)]
    public void A_warm_find_sends_nothing(double requests, object state) =>
        Assert.Equal(state, Find(new MadeUpResults().Requests("find", Coherent, 0, requests, 0), "find, warm", "no requests").State);

    [Theory]
    [InlineData(1.5e9, 1.2, GoalState.Met, GoalState.Met)]
    [InlineData(2.5e9, 1.4, GoalState.Missed, GoalState.Missed)]
    public void Ten_million_inodes(double bytes, double latency, object memory, object lookup)
    {
        MadeUpResults results = new MadeUpResults()
            .Daemon("inodes", new Conditions(Size: 10_000), Coherent, Quantity.LatencyP50, 1)
            .Daemon("inodes", new Conditions(Size: 10_000_000), Coherent, Quantity.LatencyP50, latency)
            .Daemon("inodes", new Conditions(Size: 10_000_000), Coherent, Quantity.Memory, bytes);
        Assert.Equal(memory, Find(results, "10,000,000 inodes", "memory").State);
        Assert.Equal(lookup, Find(results, "10,000,000 inodes", "p50").State);
    }

    private static MadeUpResults AtDepth(MadeUpResults results, int depth, double ours, double theirs) => results
        .Daemon("lookup", new Conditions(Depth: depth), Coherent, Quantity.LatencyP50, ours)
        .Daemon("lookup", new Conditions(Depth: depth), Rust, Quantity.LatencyP50, theirs);

    private static IReadOnlyList<Goal> Judge(MadeUpResults results) => GoalList.Judge(new Findings([results.Build()]));

    private static Goal Find(MadeUpResults results, string subject, string wanted) =>
        Judge(results).Single(goal => goal.Subject == subject && goal.Wanted.Contains(wanted, StringComparison.Ordinal));
}
