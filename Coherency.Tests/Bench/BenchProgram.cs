namespace Coherency.Tests.Bench;

/// <summary>Runs <c>coherency-bench</c> as its users do.</summary>
internal static class BenchProgram
{
    public static ChildResult Run(params string[] arguments) =>
        ChildProcess.Run("dotnet", [Path.Combine(AppContext.BaseDirectory, "coherency-bench.dll"), .. arguments]);
}
