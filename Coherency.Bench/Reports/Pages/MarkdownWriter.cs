using System.Text;

namespace Coherency.Bench.Reports.Pages;

/// <summary>A report as Markdown with tables.</summary>
internal static class MarkdownWriter
{
    public static string Write(ReportPage page)
    {
        StringBuilder text = new();
        text.Append($"# {Escape(page.Title)}\n\n{Escape(page.Lead)}\n");
        foreach (Section section in page.Sections)
        {
            text.Append($"\n## {Escape(section.Title)}\n");
            foreach (Block block in section.Blocks)
            {
                Append(text, block);
            }
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, Block block)
    {
        switch (block)
        {
            case Heading heading:
                text.Append($"\n### {Escape(heading.Text)}\n");
                break;
            case Paragraph paragraph:
                text.Append($"\n{Escape(paragraph.Text)}\n");
                break;
            case Verbatim verbatim:
                AppendVerbatim(text, verbatim.Text);
                break;
            case DataTable table:
                AppendTable(text, table);
                break;
            case PlotRow:
                break;
            default:
                throw new ArgumentException($"no Markdown for {block.GetType().Name}", nameof(block));
        }
    }

    /// <summary>Indented, not fenced: whatever the text holds cannot end it.</summary>
    private static void AppendVerbatim(StringBuilder text, string verbatim)
    {
        text.Append('\n');
        foreach (string line in verbatim.ReplaceLineEndings("\n").Split('\n'))
        {
            text.Append($"    {line}".TrimEnd()).Append('\n');
        }
    }

    private static void AppendTable(StringBuilder text, DataTable table)
    {
        text.Append($"\n{Escape(table.Caption)}\n\n");
        AppendRow(text, table.Columns.Select(column => Escape(column.Title)));
        AppendRow(text, table.Columns.Select(column => column.Kind == ColumnKind.Number ? "--:" : "---"));
        foreach (Row row in table.Rows)
        {
            AppendRow(text, row.Cells.Select(cell => CellText(cell, row.IsOurs && cell == row.Cells[0])));
        }
    }

    private static void AppendRow(StringBuilder text, IEnumerable<string> cells) => text.Append($"| {string.Join(" | ", cells)} |\n");

    private static string CellText(Cell cell, bool isBold)
    {
        string text = isBold && cell.Text.Length > 0 ? $"**{Escape(cell.Text)}**" : Escape(cell.Text);
        string marked = cell.Mark switch
        {
            Mark.None => "",
            Mark.Bad => $"**{Escape(cell.MarkText ?? "")}**",
            _ => Escape(cell.MarkText ?? ""),
        };
        return string.Join(' ', new[] { text, Escape(cell.Detail ?? ""), marked }.Where(part => part.Length > 0));
    }

    /// <summary>Nothing in a text is markup, or ends a cell.</summary>
    private static string Escape(string text)
    {
        StringBuilder escaped = new();
        foreach (char character in text.ReplaceLineEndings(" "))
        {
            if (character is '\\' or '`' or '*' or '_' or '[' or ']' or '<' or '>' or '|' or '#' or '&')
            {
                escaped.Append('\\');
            }

            escaped.Append(character);
        }

        return escaped.ToString();
    }
}
