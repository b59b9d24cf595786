using Coherency.Bench.Results;

namespace Coherency.Tests.Bench;

/// <summary>Results that nobody measured, to see what reports make of them.</summary>
internal sealed class MadeUpResults
{
    public const string Coherent = "coherencyd coherent";
    public const string RustAlways = "virtiofsd-rust always";
    public const string RustNever = "virtiofsd-rust never";
    public const string Limit = "ext4";

    private readonly List<Observation> _observations = [];
    private readonly List<StalenessResult> _staleness = [];
    private readonly List<ContenderDescription> _contenders = [];

    public string Command { get; init; } = "coherency-bench run --suite full";

    public MadeUpResults Contender(string name, string version = "1.0")
    {
        _contenders.Add(new ContenderDescription(name, version, [$"serve for {name}"]));
        return this;
    }

    public MadeUpResults Program(string scenario, string contender, CacheState state, int guests, params double[] seconds) =>
        Add(BenchLevel.Guests, scenario, new Conditions(Guests: guests, State: state), contender, Quantity.Duration, seconds);

    public MadeUpResults Requests(string scenario, string contender, params double[] requests) =>
        Add(BenchLevel.Guests, scenario, new Conditions(State: CacheState.Warm), contender, Quantity.Requests, requests);

    public MadeUpResults Daemon(string scenario, Conditions conditions, string contender, Quantity quantity, params double[] samples) =>
        Add(BenchLevel.Daemon, scenario, conditions, contender, quantity, samples);

    public MadeUpResults Failed(string scenario, string contender, string remark)
    {
        _observations.Add(new Observation(
            BenchLevel.Guests, scenario, TitleOf(scenario), new Conditions(State: CacheState.Warm), contender, Quantity.Duration, [],
            remark));
        return this;
    }

    public MadeUpResults Wrong(string scenario, string contender, double seconds)
    {
        _observations.Add(new Observation(
            BenchLevel.Guests, scenario, TitleOf(scenario), new Conditions(State: CacheState.Warm), contender, Quantity.Duration, [seconds],
            Observation.Wrong + "exit code 1"));
        return this;
    }

    public MadeUpResults Stale(string contender, int looks, int stale, string writer = "another guest")
    {
        _staleness.Add(new StalenessResult(contender, writer, looks, stale));
        return this;
    }

    public BenchResults Build() => new(
        BenchResults.CurrentSchema,
        "full",
        Command,
        new MachineInfo("2026-11-24 22:00 UTC", "Linux 6.18", "Some CPU", 2, "24 GiB", "tmpfs", ".NET 10"),
        _contenders,
        _observations,
        _staleness);

    private MadeUpResults Add(
        BenchLevel level, string scenario, Conditions conditions, string contender, Quantity quantity, double[] samples)
    {
        _observations.Add(new Observation(level, scenario, TitleOf(scenario), conditions, contender, quantity, samples));
        return this;
    }

    private static string TitleOf(string scenario) => $"the title of {scenario}";
}
