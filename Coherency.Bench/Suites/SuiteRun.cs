namespace Coherency.Bench.Suites;

/// <summary>What the parts of a run share: where they may work, whom they tell of their progress, and where their findings go.</summary>
/// <param name="workDirectory">Of this run alone; it is removed at the end.</param>
/// <param name="beginStep">Shows the name of the step that begins; throws <see cref="OperationCanceledException"/> when the user
/// interrupted the run.</param>
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

    public IReadOnlyList<Observation> Observations => _observations;

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
            double[] samples = [.. known.Samples, .. observation.Samples];
            _observations[index] = known with { Samples = samples, Remark = Join(known.Remark, observation.Remark) };
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

    public void Add(IEnumerable<Observation> observations)
    {
        foreach (Observation observation in observations)
            Add(observation);
    }

    public void Add(StalenessResult staleness) => _staleness.Add(staleness);

    public void AddFailure(string reason) => _failures.Add(reason);

    private static string? Join(string? known, string? more) =>
        known is null || more is null || known.Contains(more, StringComparison.Ordinal) ? known ?? more : $"{known}; {more}";
}

/// <summary>What a run found, and what went wrong on the way.</summary>
/// <param name="Failures">A part that could not be finished, each with the reason; what it found before is among the results.</param>
internal sealed record SuiteOutcome(BenchResults Results, IReadOnlyList<string> Failures);

/// <summary>Runs the parts of a suite one after another in a directory of its own, which is gone afterwards.</summary>
/// <param name="parent">Where the directory is made: its file system is the one that is measured.</param>
/// <param name="keep">Gets what was found so far, before each step: nobody should lose hours to a machine that stops.</param>
internal sealed class SuiteRunner(
    string suite, IReadOnlyList<ISuitePart> parts, ContenderSet contenders, string parent, Action<BenchResults> keep)
{
    public int Steps => parts.Sum(part => part.Steps);

    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    /// <exception cref="IOException">The directory could not be made.</exception>
    public SuiteOutcome Run(Action<string> beginStep, CancellationToken interrupted)
    {
        RaiseDescriptorLimit();
        string directory = Directory.CreateDirectory(Path.Combine(parent, $"coherency-bench-{Environment.ProcessId}")).FullName;
        try
        {
            MachineInfo machine = MachineInfo.Read(directory);
            SuiteRun run = null!;
            run = new SuiteRun(directory, BeginStep, interrupted);
            foreach (ISuitePart part in parts)
                Run(part, run);
            return new SuiteOutcome(ToResults(run, machine), run.Failures);

            void BeginStep(string name)
            {
                keep(ToResults(run, machine));
                interrupted.ThrowIfCancellationRequested();
                beginStep(name);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>
    /// One part that fails must not cost the hours of the others. An interrupt at a terminal ends the daemons, too, and may come as their
    /// failure.
    /// </summary>
    private static void Run(ISuitePart part, SuiteRun run)
    {
        try
        {
            part.Run(run);
        }
        catch (Exception e) when (e is IOException or TimeoutException or UnauthorizedAccessException)
        {
            run.Interrupted.ThrowIfCancellationRequested();
            run.AddFailure(e.Message);
        }
    }

    private BenchResults ToResults(SuiteRun run, MachineInfo machine) => new(
        BenchResults.CurrentSchema,
        suite,
        "coherency-bench " + string.Join(' ', Environment.GetCommandLineArgs()[1..]),
        machine,
        [.. run.Contenders, .. contenders.Missing.Where(missing => run.Contenders.All(known => known.Name != missing.Name))],
        run.Observations,
        run.Staleness);

    /// <summary>Peers hold a descriptor per inode and inherit this process's limit.</summary>
    private static void RaiseDescriptorLimit()
    {
        if (Libc.GetResourceLimit(ProcessFlags.RLIMIT_NOFILE, out rlimit limit) >= 0)
        {
            limit.rlim_cur = limit.rlim_max;
            _ = Libc.SetResourceLimit(ProcessFlags.RLIMIT_NOFILE, limit);
        }
    }
}
