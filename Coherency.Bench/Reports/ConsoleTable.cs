using Spectre.Console;

namespace Coherency.Bench.Reports;

/// <summary>A table for people: drawn on a terminal, lines of text with columns of equal width elsewhere.</summary>
internal static class ConsoleTable
{
    /// <summary>Where no terminal limits it, a row stays on one line.</summary>
    private const int WidthElsewhere = 1000;

    /// <param name="firstNumericColumn">That one and those after it are aligned to the right.</param>
    public static void Write(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows, int firstNumericColumn)
    {
        Table table = new() { Border = Console.IsOutputRedirected ? TableBorder.None : TableBorder.Square };
        for (int i = 0; i < columns.Count; i++)
        {
            TableColumn column = new(Markup.Escape(columns[i]));
            table.AddColumn(i >= firstNumericColumn ? column.RightAligned() : column);
        }

        foreach (string[] row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        if (rows.Count > 0)
        {
            AnsiConsole.Profile.Width = Console.IsOutputRedirected ? WidthElsewhere : AnsiConsole.Profile.Width;
            AnsiConsole.Write(table);
        }
    }
}
