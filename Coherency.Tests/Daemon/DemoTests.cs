using System.Diagnostics;

namespace Coherency.Tests.Daemon;

/// <summary>The first thing that people try. Nothing else runs meanwhile: it is timed.</summary>
[Collection(TimedTests.Name)]
public sealed class DemoTests
{
    private const int SecondsAllowed = 15;

    [Fact]
    public void The_demo_works_as_root() => ExpectDemo("dotnet", RunningDaemon.Program, "demo");

    [Fact]
    public void The_demo_works_as_nobody_in_particular()
    {
        DirectoryInfo copy = Directory.CreateTempSubdirectory("coherency-demo-");
        try
        {
            // The build output may lie where only root can read.
            ChildProcess.Run("sh", ["-c", $"cp -r '{AppContext.BaseDirectory}'/. '{copy.FullName}' && chmod -R a+rX '{copy.FullName}'"]);
            ExpectDemo(
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "dotnet",
                Path.Combine(copy.FullName, "coherencyd.dll"),
                "demo");
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    private static void ExpectDemo(string program, params string[] arguments)
    {
        Stopwatch watch = Stopwatch.StartNew();
        ChildResult result = ChildProcess.Run(program, arguments);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        Assert.Contains("steps were checked", result.Output, StringComparison.Ordinal);
        Assert.True(watch.Elapsed.TotalSeconds < SecondsAllowed, $"the demo took {watch.Elapsed.TotalSeconds:f1} s");
    }
}
