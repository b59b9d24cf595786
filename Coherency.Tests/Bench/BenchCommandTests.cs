using Coherency.Bench.Results;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Bench;

/// <summary>The commands of coherency-bench from end to end: what they print, leave behind and return.</summary>
[Trait("Category", "Slow")]
public sealed class BenchCommandTests : IDisposable
{
    /// <summary>Short, since a socket's path may have no more than 107 bytes.</summary>
    private readonly DirectoryInfo _folder = Directory.CreateDirectory($"/dev/shm/bench-c-{Environment.ProcessId}");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("--suite: there is no speed; there are quick, metadata", "--suite", "speed")]
    [InlineData("--rows: there is no chmod; there are getattr, lookup", "--rows", "chmod")]
    [InlineData("--depth is between 1 and 128, not 129", "--depth", "1,129")]
    [InlineData("--queues is between 1 and 8, not many", "--queues", "many")]
    [InlineData("--guests is between 1 and 16, not 0", "--guests", "0")]
    [InlineData("--rows: nothing is named", "--rows", ",")]
    [InlineData("--seconds is more than 0, not -1", "--seconds", "-1")]
    [InlineData("--rounds is between 1 and 1000, not 0", "--rounds", "0")]
    [InlineData("--inodes is 0 or at least 2000, not 5", "--inodes", "5")]
    [InlineData("--without: there is no samba; there are coherencyd auto", "--without", "samba")]
    [InlineData("--contender is NAME=COMMAND, with {dir} and {socket} or {guests} in the command, not mine", "--contender", "mine")]
    [InlineData("--directory: there is no directory /nowhere", "--directory", "/nowhere")]
    public void A_wrong_option_is_named_with_what_is_right(string message, string option, string value)
    {
        ChildResult result = BenchProgram.Run("run", option, value);
        Assert.Contains(message, result.Errors, StringComparison.Ordinal);
        Assert.Equal(2, result.ExitCode);
    }

    [Fact]
    public void A_short_run_is_written_and_read_back_and_leaves_nothing()
    {
        string json = Path.Combine(_folder.FullName, "results.json");
        ChildResult run = BenchProgram.Run(
            "run", "--suite", "metadata", "--rows", "getattr,readdirplus", "--depth", "2", "--rounds", "1", "--seconds", "0.05", "--inodes",
            "12000",
            "--without", "virtiofsd-rust", "--without", "virtiofsd-c", "--directory", _folder.FullName, "--json", json);
        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.Contains("READDIRPLUS of 1,000 entries", run.Output, StringComparison.Ordinal);
        Assert.Equal([json], Directory.GetFileSystemEntries(_folder.FullName));

        BenchResults results = ResultsFile.Read(json);
        Assert.Equal("coherencyd auto", Assert.Single(results.Contenders).Name);
        Assert.Equal(1, SampleOf(results, "getattr", Quantity.Requests));
        Assert.InRange(SampleOf(results, "getattr", Quantity.DaemonCpu), 0.01, 10_000);
        Assert.InRange(SampleOf(results, "inodes", Quantity.InodeMemory), 1, 10_000);
        Assert.Equal([10_000, 12_000], results.Observations
            .Where(row => row is { Scenario: "lookup-known", Quantity: Quantity.LatencyP50 }).Select(row => row.Conditions.Size));

        ChildResult compared = BenchProgram.Run("compare", json, json);
        Assert.Contains("worse: 0", compared.Output, StringComparison.Ordinal);
        Assert.Equal(0, compared.ExitCode);
    }

    [Fact]
    public void A_daemon_that_is_not_there_or_has_one_queue_is_named()
    {
        string json = Path.Combine(_folder.FullName, "results.json");
        string absent = Path.Combine(_folder.FullName, "virtiofsd");
        string single = $"single=dotnet {RunningDaemon.Program} serve --shared-dir {{dir}} --guest g={{socket}}";
        ChildResult run = BenchProgram.Run(
            "run", "--rows", "statfs", "--queues", "2", "--depth", "1", "--rounds", "1", "--seconds", "0.05", "--virtiofsd", absent,
            "--contender", single, "--without", "virtiofsd-c", "--directory", _folder.FullName, "--json", json);
        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.Contains($"not measured: virtiofsd-rust auto: not installed (no {absent}", run.Output, StringComparison.Ordinal);
        Assert.Contains("single, statfs (depth 1, 2 queues): it has one request queue", run.Output, StringComparison.Ordinal);
        Observation left = Assert.Single(ResultsFile.Read(json).Observations, row => row.Contender == "single");
        Assert.Empty(left.Samples);
    }

    [Fact]
    public void Compare_ends_with_1_for_what_became_worse_and_2_for_a_file_that_is_none()
    {
        string before = WriteResults("before.json", requests: 1);
        string after = WriteResults("after.json", requests: 2);
        ChildResult worse = BenchProgram.Run("compare", before, after);
        Assert.Contains("worse: 1", worse.Output, StringComparison.Ordinal);
        Assert.Equal(1, worse.ExitCode);
        Assert.Equal(0, BenchProgram.Run("compare", after, before).ExitCode);

        string other = Path.Combine(_folder.FullName, "other.json");
        File.WriteAllText(other, "[]");
        ChildResult wrong = BenchProgram.Run("compare", before, other);
        Assert.Contains($"{other} does not hold results", wrong.Errors, StringComparison.Ordinal);
        Assert.Equal(2, wrong.ExitCode);
        ChildResult percent = BenchProgram.Run("compare", before, after, "--threshold", "much");
        Assert.Contains("--threshold is a percentage such as 5, not much", percent.Errors, StringComparison.Ordinal);
        Assert.Equal(2, percent.ExitCode);
    }

    private static double SampleOf(BenchResults results, string scenario, Quantity quantity) =>
        Assert.Single(results.Observations.Single(row => row.Scenario == scenario && row.Quantity == quantity).Samples);

    private string WriteResults(string name, double requests)
    {
        string path = Path.Combine(_folder.FullName, name);
        Observation row = new(
            BenchLevel.Daemon, "lookup", "LOOKUP", new Conditions(Depth: 1), "coherencyd auto", Quantity.Requests, [requests]);
        ResultsFile.Write(new BenchResults(BenchResults.CurrentSchema, "quick", "", MachineInfo.Read("/tmp"), [], [row], []), path);
        return path;
    }
}
