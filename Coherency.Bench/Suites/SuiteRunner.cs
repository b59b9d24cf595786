using Coherency.Bench.Contenders;
using Coherency.Bench.Results;
using Coherency.Core.Linux;

namespace Coherency.Bench.Suites;

/// <summary>What a run found, and what went wrong on the way.</summary>
/// <param name="Failures">A part that could not be finished, each with the reason; what it found before is among the results.</param>
internal sealed record SuiteOutcome(BenchResults Results, IReadOnlyList<string> Failures);

/// <summary>Runs the parts of a suite one after another in a directory of its own, which is gone afterwards.</summary>
/// <param name="parent">Where the directory is made: its file system is the one that is measured.</param>
/// <param name="keep">Gets what was found so far, before each step: nobody should lose hours to a machine that stops.</param>
internal sealed class SuiteRunner(string suite, IReadOnlyList<ISuitePart> parts, ContenderSet contenders, string parent, Action<BenchResults> keep)
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
            {
                Run(part, run);
            }

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

    /// <summary>One part that fails must not cost the hours of the others. An interrupt at a terminal ends the daemons, too, and may come as their failure.</summary>
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
