using Coherency.Bench.Contenders;
using Coherency.Bench.Measurement;
using Coherency.Bench.Results;
using Coherency.Bench.Suites;
using Coherency.Bench.Workloads;

namespace Coherency.Tests.Bench;

public sealed class DaemonPartTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-daemon-part-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Half_of_the_rounds_are_measured_with_daemons_started_in_the_opposite_order()
    {
        string log = Path.Combine(_folder.FullName, "starts");
        string script = Path.Combine(_folder.FullName, "log-start");
        File.WriteAllText(script, $"echo $1 >> {log}");
        Contender ours = ContenderList.Build(coherencydPath: null, virtiofsdPath: null, added: [], without: [], others: []).Present[0];
        string[] names = ["first", "second"];
        Contender[] contenders = [.. names.Select(name => ours with { Name = name, VersionCommand = $"sh {script} {name}" })];
        DaemonTrials trials = new(Topology.Single, [DaemonScenario.Find("getattr")], [1]);
        DaemonPart part = new([trials], contenders, new BenchSettings(Seconds: 0.06, Rounds: 3, SpinMicroseconds: 0));
        int steps = 0;
        SuiteRun run = new(_folder.FullName, _ => steps++);
        part.Run(run);

        Assert.Equal(["first", "second", "second", "first"], File.ReadAllLines(log));
        Assert.Equal(part.Steps, steps);
        Observation[] rates = [.. run.Observations.Where(row => row.Quantity == Quantity.Rate)];
        Assert.Equal(names, rates.Select(row => row.Contender));
        Assert.All(rates, row => Assert.Equal(3, row.Samples.Count));
    }
}
