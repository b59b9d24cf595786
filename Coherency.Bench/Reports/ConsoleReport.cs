using Coherency.Bench.Measurement;
using Spectre.Console;

namespace Coherency.Bench.Reports;

/// <summary>The report for people: a table on a terminal, lines of text elsewhere.</summary>
internal static class ConsoleReport
{
    private const int FirstNumericColumn = 3;

    public static void Write(BenchReport report)
    {
        IEnumerable<string[]> rows = report.Rows.SelectMany(row => row.Contenders.Select(contender => Figures.RowCells(row, contender)));
        if (Console.IsOutputRedirected)
        {
            WriteLines(Figures.Columns, rows);
            WriteLines(Figures.MemoryColumns, report.Memory.Select(Figures.MemoryCells));
        }
        else
        {
            WriteTable(Figures.Columns, rows, FirstNumericColumn);
            WriteTable(Figures.MemoryColumns, report.Memory.Select(Figures.MemoryCells), firstNumericColumn: 1);
        }

        Console.WriteLine($"Ratios of 1.00 or more: {report.Contenders[0].Name} is at least as good as the daemon of that line.");
    }

    private static void WriteLines(string[] columns, IEnumerable<string[]> rows)
    {
        List<string[]> all = [columns, .. rows];
        int[] widths = [.. columns.Select((_, column) => all.Max(row => row[column].Length))];
        if (all.Count > 1)
        {
            all.ForEach(row => Console.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()));
        }
    }

    private static void WriteTable(string[] columns, IEnumerable<string[]> rows, int firstNumericColumn)
    {
        Table table = new();
        for (int i = 0; i < columns.Length; i++)
        {
            TableColumn column = new(columns[i]);
            table.AddColumn(i >= firstNumericColumn ? column.RightAligned() : column);
        }

        foreach (string[] row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        if (table.Rows.Count > 0)
        {
            AnsiConsole.Write(table);
        }
    }
}
