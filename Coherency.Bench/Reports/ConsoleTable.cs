using Spectre.Console;

namespace Coherency.Bench.Reports;

/// <summary>A table for people: drawn on a terminal, lines of text with columns of equal width elsewhere.</summary>
internal static class ConsoleTable
{
    /// <param name="firstNumericColumn">That one and those after it are aligned to the right.</param>
    public static void Write(string[] columns, IReadOnlyList<string[]> rows, int firstNumericColumn)
    {
        if (rows.Count == 0)
        {
            return;
        }

        if (Console.IsOutputRedirected)
        {
            WriteLines(columns, rows, firstNumericColumn);
        }
        else
        {
            WriteDrawn(columns, rows, firstNumericColumn);
        }
    }

    private static void WriteLines(string[] columns, IReadOnlyList<string[]> rows, int firstNumericColumn)
    {
        string[][] all = [columns, .. rows];
        int[] widths = [.. columns.Select((_, column) => all.Max(row => row[column].Length))];
        foreach (string[] row in all)
        {
            IEnumerable<string> cells = row.Select((cell, column) =>
                column < firstNumericColumn ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            Console.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private static void WriteDrawn(string[] columns, IReadOnlyList<string[]> rows, int firstNumericColumn)
    {
        Table table = new();
        for (int i = 0; i < columns.Length; i++)
        {
            TableColumn column = new(Markup.Escape(columns[i]));
            table.AddColumn(i >= firstNumericColumn ? column.RightAligned() : column);
        }

        foreach (string[] row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

        AnsiConsole.Write(table);
    }
}
