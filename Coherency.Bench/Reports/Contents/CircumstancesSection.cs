using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>What is needed to repeat the runs.</summary>
internal static class CircumstancesSection
{
    public static IReadOnlyList<Block> Build(IReadOnlyList<BenchResults> runs) => [.. runs.SelectMany(Build)];

    private static IEnumerable<Block> Build(BenchResults run)
    {
        MachineInfo machine = run.Machine;
        yield return new Heading($"Suite {run.Suite}, {machine.Date}");
        yield return new DataTable(
            "The machine",
            [new Column("what", ColumnKind.Text), new Column("is", ColumnKind.Text)],
            [
                Fact("processors", $"{machine.Processors} x {machine.Processor}"),
                Fact("memory", machine.Memory),
                Fact("kernel", machine.Kernel),
                Fact("runtime", machine.Runtime),
                Fact("file system of the trees", machine.FileSystem),
            ]);
        if (run.Contenders.Count > 0)
        {
            yield return new DataTable(
                "The contenders",
                [new Column("contender", ColumnKind.Text), new Column("version", ColumnKind.Text)],
                [.. run.Contenders.Select(contender => ContenderRow(run, contender))]);
        }

        yield return new Verbatim(string.Join('\n', Commands(run)));
    }

    private static Row Fact(string what, string value) => new([new Cell(what), new Cell(value)]);

    private static Row ContenderRow(BenchResults run, ContenderDescription contender)
    {
        bool isMeasured = run.Observations.Any(found => found.Contender == contender.Name && found.Samples.Count > 0);
        return new Row(
            [
                new Cell(contender.Name, null, isMeasured ? Mark.None : Mark.Unknown, isMeasured ? null : "not measured"),
                new Cell(contender.Version),
            ],
            ContenderNames.IsOurs(contender.Name));
    }

    private static IEnumerable<string> Commands(BenchResults run) =>
        [run.Command, .. run.Contenders.SelectMany(contender => contender.Commands.Prepend($"# {contender.Name}"))];
}
