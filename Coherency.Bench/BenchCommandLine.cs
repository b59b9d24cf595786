using System.CommandLine;
using Coherency.Bench.Microbenchmarks;

namespace Coherency.Bench;

/// <summary>All commands of <c>coherency-bench</c>.</summary>
internal static class BenchCommandLine
{
    public static RootCommand Create() => new("Measures virtio-fs daemons against each other, and what a version table costs.")
    {
        RunCommand.Create(), CompareCommand.Create(), TableCommand.Create(),
    };
}
