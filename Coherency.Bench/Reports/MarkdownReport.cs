using System.Text;
using Coherency.Bench.Measurement;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports;

/// <summary>The report for the README: tables, and below them the machine and the commands.</summary>
internal static class MarkdownReport
{
    public static void Write(BenchReport report, string path)
    {
        StringBuilder text = new();
        AppendTable(text, Figures.Columns, report.Rows.SelectMany(row => row.Contenders.Select(contender => Figures.RowCells(row, contender))));
        text.AppendLine();
        text.AppendLine($"The ratios compare {report.Contenders[0].Name} with the daemon of that line: 1.00 or more means it is at least as good.");
        if (report.Memory.Count > 0)
        {
            text.AppendLine();
            AppendTable(text, Figures.MemoryColumns, report.Memory.Select(Figures.MemoryCells));
        }

        AppendCircumstances(text, report);
        File.WriteAllText(path, text.ToString());
    }

    private static void AppendTable(StringBuilder text, string[] columns, IEnumerable<string[]> rows)
    {
        AppendLine(text, columns);
        AppendLine(text, [.. columns.Select(_ => "---")]);
        foreach (string[] row in rows)
        {
            AppendLine(text, row);
        }
    }

    private static void AppendLine(StringBuilder text, string[] cells) => text.AppendLine($"| {string.Join(" | ", cells)} |");

    private static void AppendCircumstances(StringBuilder text, BenchReport report)
    {
        MachineInfo machine = report.Machine;
        text.AppendLine();
        text.AppendLine($"{machine.Date}; {machine.Processors} x {machine.Processor}, {machine.Memory}; {machine.Kernel}; {machine.Runtime}; trees on {machine.FileSystem}.");
        text.AppendLine($"{report.Rounds} interleaved rounds, {report.Seconds} s per line in all; the client polls {report.SpinMicroseconds} us before it sleeps.");
        text.AppendLine();
        text.AppendLine("```");
        text.AppendLine($"{report.Command}");
        foreach (ContenderDescription contender in report.Contenders)
        {
            text.AppendLine($"# {contender.Name} ({contender.Version}):");
            text.AppendJoin(Environment.NewLine, contender.Commands).AppendLine();
        }

        text.AppendLine("```");
    }
}
