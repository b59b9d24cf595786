using System.Text.Json;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Perfolizer.Horology;
using Perfolizer.Mathematics.OutlierDetection;

namespace Coherency.Bench.Microbenchmarks;

/// <summary>Runs the benchmarks of the version table (BenchmarkDotNet, in this process: there is nothing to build).</summary>
internal static class TableBenchmarkRun
{
    public const string Contender = "version table";

    private const int Iterations = 11;
    private const int WarmUps = 2;

    /// <summary>Of each iteration; a call is repeated until it has passed.</summary>
    private static readonly TimeInterval IterationTime = TimeInterval.FromMilliseconds(100);

    /// <summary>In the order of the reports.</summary>
    public static readonly IReadOnlyList<Type> Benchmarks =
    [
        typeof(TableBenchmarks),
        typeof(HashBenchmarks),
        typeof(ViewBenchmarks),
        typeof(ThreadBenchmarks),
        typeof(LimitBenchmarks),
        typeof(WakeBenchmarks),
    ];

    /// <param name="directory">For what BenchmarkDotNet writes.</param>
    /// <exception cref="IOException">A benchmark failed.</exception>
    public static IReadOnlyList<Observation> Run(Type benchmarks, string directory)
    {
        Summary summary = BenchmarkRunner.Run(benchmarks, Configure(directory));
        return summary.Reports.IsEmpty
            ? throw new IOException(
                $"{benchmarks.Name} did not run: {string.Join("; ", summary.ValidationErrors.Select(error => error.Message))}")
            : [.. summary.Reports.Select(Observe)];
    }

    private static ManualConfig Configure(string directory) => ManualConfig.CreateEmpty()
        .AddJob(Job.Default
            .WithToolchain(InProcessNoEmitToolchain.Instance)
            .WithWarmupCount(WarmUps)
            .WithIterationCount(Iterations)
            .WithIterationTime(IterationTime)
            .WithOutlierMode(OutlierMode.DontRemove))
        .AddColumnProvider(DefaultColumnProviders.Instance)
        .AddLogger(NullLogger.Instance)
        .WithArtifactsPath(directory)
        .WithOptions(ConfigOptions.DisableLogFile);

    private static Observation Observe(BenchmarkReport report)
    {
        Descriptor benchmark = report.BenchmarkCase.Descriptor;
        double[] samples =
        [
            .. from measurement in report.AllMeasurements
               where measurement.IterationMode == IterationMode.Workload && measurement.IterationStage == IterationStage.Result
               select measurement.GetAverageTime().Nanoseconds,
        ];
        return samples.Length > 0
            ? new Observation(
                BenchLevel.Table,
                JsonNamingPolicy.KebabCaseLower.ConvertName(benchmark.WorkloadMethod.Name),
                benchmark.WorkloadMethodDisplayInfo.Trim('\''),
                ConditionsOf(report.BenchmarkCase.Parameters),
                Contender,
                Quantity.CallTime,
                samples)
            : throw new IOException(
                $"{benchmark.WorkloadMethodDisplayInfo} failed: " +
                $"{string.Join("; ", report.ExecuteResults.SelectMany(result => result.Errors))}");
    }

    private static Conditions ConditionsOf(ParameterInstances parameters) => new(
        Depth: Value(parameters, nameof(ThreadBenchmarks.Threads)) ?? 1,
        Guests: Value(parameters, nameof(ViewBenchmarks.Views)) ?? 1,
        Size: Value(parameters, nameof(HashBenchmarks.NameBytes)) ?? 0);

    private static int? Value(ParameterInstances parameters, string name) =>
        parameters.Items.FirstOrDefault(parameter => parameter.Name == name)?.Value as int?;
}
