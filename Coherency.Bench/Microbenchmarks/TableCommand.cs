using System.CommandLine;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Coherency.Bench.Microbenchmarks;

/// <summary><c>coherency-bench table</c>: what the version table costs its readers and its writer.</summary>
internal static class TableCommand
{
    public static Command Create()
    {
        Command command = new("table", "Measure the version table: checks, changes, views, threads (BenchmarkDotNet, in this process).");
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        IConfig config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Params, DefaultColumnProviders.Statistics)
            .AddColumn(TargetMethodColumn.Method)
            .AddExporter(MarkdownExporter.Console)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), $"coherency-bench-{Environment.ProcessId}"))
            .WithOptions(ConfigOptions.JoinSummary | ConfigOptions.DisableLogFile);
        BenchmarkDotNet.Reports.Summary[] summaries = BenchmarkRunner.Run(
            [typeof(ReaderBenchmarks), typeof(WriterBenchmarks), typeof(ViewBenchmarks), typeof(ThreadBenchmarks), typeof(LimitBenchmarks), typeof(WakeBenchmarks)], config);
        foreach (BenchmarkDotNet.Reports.Summary summary in summaries)
        {
            MarkdownExporter.Console.ExportToLog(summary, ConsoleLogger.Default);
        }

        return summaries.All(summary => summary.Reports.Length > 0 && summary.Reports.All(report => report.Success)) ? 0 : 1;
    }
}
