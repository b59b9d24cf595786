using System.CommandLine;
using Coherency.Bench.Microbenchmarks;
using Coherency.Bench.Reports;

namespace Coherency.Bench;

/// <summary><c>coherency-bench table</c>: what the version table costs its readers and its writer.</summary>
internal static class TableBenchmarkCommand
{
    private const int FirstNumericColumn = 2;

    public static Command Create() => BenchCommandLine.Command(
        "table",
        "Measure the version table: checks, changes, views, threads (BenchmarkDotNet, in this process).",
        [],
        (_, _) => Run());

    private static int Run()
    {
        DirectoryInfo work = Directory.CreateTempSubdirectory("coherency-bench-");
        try
        {
            Observation[] found =
                [.. TableBenchmarkRun.Benchmarks.SelectMany(benchmarks => TableBenchmarkRun.Run(benchmarks, work.FullName))];
            ConsoleTable.Write(["call", "with", "ns", "interval"], [.. found.Select(Row)], FirstNumericColumn);
            return 0;
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static string[] Row(Observation found)
    {
        MedianEstimate time = Statistics.EstimateMedian(found.Samples);
        return
        [
            found.Title, Readable.Conditions(found.Level, found.Conditions), Readable.Number(time.Median),
            Readable.Interval(Quantity.CallTime, time) ?? "",
        ];
    }
}
