using Coherency.Bench.Guests;
using Coherency.Bench.Results;

namespace Coherency.Bench.Suites;

/// <summary>What the parts of a run share: where they may work, whom they tell of their progress, and where their findings go.</summary>
/// <param name="workDirectory">Of this run alone; it is removed at the end.</param>
/// <param name="beginStep">Shows the name of the step that begins; throws <see cref="OperationCanceledException"/> when the user interrupted the run.</param>
/// <param name="interrupted">For steps that take long: cancelled when the user interrupted the run.</param>
internal sealed class SuiteRun(string workDirectory, Action<string> beginStep, CancellationToken interrupted = default)
{
    private readonly List<Observation> _observations = [];
    private readonly List<ContenderDescription> _contenders = [];
    private readonly List<StalenessResult> _staleness = [];
    private readonly List<string> _failures = [];

    /// <summary>Where a part makes its files; the file system is the one that is measured.</summary>
    public string WorkDirectory { get; } = workDirectory;

    /// <summary>Cancelled when the user interrupted the run.</summary>
    public CancellationToken Interrupted { get; } = interrupted;

    /// <summary>What programs in guests took, sample by sample.</summary>
    public GuestFigures GuestFigures { get; } = new();

    public IReadOnlyList<Observation> Observations => [.. _observations, .. GuestFigures.Observations];

    /// <summary>Each name once, in the order of their coming.</summary>
    public IReadOnlyList<ContenderDescription> Contenders => _contenders;

    public IReadOnlyList<StalenessResult> Staleness => _staleness;

    /// <summary>What could not be done and is not told by a remark on an observation.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <param name="name">For people, such as <c>LOOKUP, depth 32</c>.</param>
    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    public void BeginStep(string name) => beginStep(name);

    /// <summary>Adds what was observed, or its samples to those of the same that were observed before.</summary>
    public void Add(Observation observation)
    {
        int index = _observations.FindIndex(known => known.GetKey().Equals(observation.GetKey()));
        if (index < 0)
        {
            _observations.Add(observation);
        }
        else
        {
            Observation known = _observations[index];
            _observations[index] = known with
            {
                Samples = [.. known.Samples, .. observation.Samples],
                Remark = known.Remark ?? observation.Remark,
            };
        }
    }

    /// <summary>Describes a contender; of one that another part described already, the commands that are new are added.</summary>
    public void Add(ContenderDescription contender)
    {
        int index = _contenders.FindIndex(known => known.Name == contender.Name);
        if (index < 0)
        {
            _contenders.Add(contender);
        }
        else
        {
            ContenderDescription known = _contenders[index];
            _contenders[index] = known with { Commands = [.. known.Commands.Union(contender.Commands)] };
        }
    }

    public void Add(StalenessResult staleness) => _staleness.Add(staleness);

    public void AddFailure(string reason) => _failures.Add(reason);
}
