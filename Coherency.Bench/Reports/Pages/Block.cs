using System.Xml.Linq;

namespace Coherency.Bench.Reports.Pages;

/// <summary>A report before it is HTML or Markdown.</summary>
internal sealed record ReportPage(string Title, string Lead, IReadOnlyList<Section> Sections);

/// <param name="Id">For links to it.</param>
internal sealed record Section(string Id, string Title, IReadOnlyList<Block> Blocks);

/// <summary>A piece of a section.</summary>
internal abstract record Block;

internal sealed record Heading(string Text) : Block;

internal sealed record Paragraph(string Text) : Block;

/// <summary>Text as it would stand on a terminal.</summary>
internal sealed record Verbatim(string Text) : Block;

/// <param name="Caption">What the rows have in common.</param>
internal sealed record DataTable(string Caption, IReadOnlyList<Column> Columns, IReadOnlyList<Row> Rows) : Block
{
    /// <summary>The same without columns that say nothing.</summary>
    public DataTable WithoutEmptyColumns()
    {
        int[] kept = [.. Enumerable.Range(0, Columns.Count).Where(column => Rows.Any(row => row.Cells[column] != Cell.Empty))];
        return this with
        {
            Columns = [.. kept.Select(column => Columns[column])],
            Rows = [.. Rows.Select(row => row with { Cells = [.. kept.Select(column => row.Cells[column])] })],
        };
    }
}

/// <param name="Kind">How its cells are set.</param>
internal sealed record Column(string Title, ColumnKind Kind = ColumnKind.Number);

internal enum ColumnKind
{
    Number,
    Text,

    /// <summary>Text that stays on one line.</summary>
    Words,
}

/// <param name="IsOurs">To be found at a glance.</param>
/// <param name="BeginsGroup">Set off from the row above.</param>
internal sealed record Row(IReadOnlyList<Cell> Cells, bool IsOurs = false, bool BeginsGroup = false);

/// <param name="Detail">Smaller, behind the text.</param>
internal sealed record Cell(string Text, string? Detail = null, Mark Mark = Mark.None, string? MarkText = null)
{
    public static readonly Cell Empty = new("");
}

/// <summary>A word on a figure that must not be overlooked.</summary>
internal enum Mark
{
    None,
    Good,
    Bad,
    Unknown,
}

/// <summary>Plots that belong side by side. Markdown has none: their figures stand in the tables too.</summary>
internal sealed record PlotRow(IReadOnlyList<Plot> Items) : Block;

/// <param name="Drawing">An svg element with a title and a description.</param>
internal sealed record Plot(string Caption, XElement Drawing);
