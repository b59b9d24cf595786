using Coherency.Bench.Microbenchmarks;
using Coherency.Bench.Results;

namespace Coherency.Bench.Suites;

/// <summary>What calls of the version table take.</summary>
internal sealed class TablePart : ISuitePart
{
    public int Steps => TableBenchmarkRun.Benchmarks.Count;

    public void Run(SuiteRun run)
    {
        foreach (Type benchmarks in TableBenchmarkRun.Benchmarks)
        {
            run.BeginStep($"version table: {benchmarks.Name}");
            foreach (Observation observation in TableBenchmarkRun.Run(benchmarks, run.WorkDirectory))
            {
                run.Add(observation);
            }
        }
    }
}
