namespace Coherency.Bench.Suites;

/// <summary>A part of a run: one level of the benchmark, or some of its scenarios.</summary>
internal interface ISuitePart
{
    /// <summary>How often <see cref="Run"/> will begin a step.</summary>
    int Steps { get; }

    /// <summary>Measures, and hands what it finds to the run. Leaves no process, mount or file behind, whatever happens.</summary>
    void Run(SuiteRun run);
}
