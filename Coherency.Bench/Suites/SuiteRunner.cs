using Coherency.Bench.Contenders;
using Coherency.Bench.Results;
using Coherency.Core.Linux;

namespace Coherency.Bench.Suites;

/// <summary>What a run found, and what went wrong on the way.</summary>
/// <param name="Failures">A part that could not be finished, each with the reason; what it found before is among the results.</param>
internal sealed record SuiteOutcome(BenchResults Results, IReadOnlyList<string> Failures);

/// <summary>Runs the parts of a suite one after another in a directory of its own, which is gone afterwards.</summary>
/// <param name="parent">Where the directory is made: its file system is the one that is measured.</param>
internal sealed class SuiteRunner(string suite, IReadOnlyList<ISuitePart> parts, ContenderSet contenders, string parent)
{
    private readonly List<string> _failures = [];

    public int Steps => parts.Sum(part => part.Steps);

    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    /// <exception cref="IOException">The directory could not be made.</exception>
    public SuiteOutcome Run(Action<string> beginStep, CancellationToken interrupted)
    {
        RaiseDescriptorLimit();
        string directory = Directory.CreateDirectory(Path.Combine(parent, $"coherency-bench-{Environment.ProcessId}")).FullName;
        try
        {
            SuiteRun run = new(directory, name => BeginStep(name, beginStep, interrupted), interrupted);
            foreach (ISuitePart part in parts)
            {
                Run(part, run, interrupted);
            }

            return new SuiteOutcome(ToResults(run, directory), _failures);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void BeginStep(string name, Action<string> beginStep, CancellationToken interrupted)
    {
        interrupted.ThrowIfCancellationRequested();
        beginStep(name);
    }

    /// <summary>One part that fails must not cost the hours of the others. An interrupt at a terminal ends the daemons, too, and may come as their failure.</summary>
    private void Run(ISuitePart part, SuiteRun run, CancellationToken interrupted)
    {
        try
        {
            part.Run(run);
        }
        catch (Exception e) when (e is IOException or TimeoutException or UnauthorizedAccessException)
        {
            interrupted.ThrowIfCancellationRequested();
            _failures.Add(e.Message);
        }
    }

    private BenchResults ToResults(SuiteRun run, string directory) => new(
        BenchResults.CurrentSchema,
        suite,
        "coherency-bench " + string.Join(' ', Environment.GetCommandLineArgs()[1..]),
        MachineInfo.Read(directory),
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
