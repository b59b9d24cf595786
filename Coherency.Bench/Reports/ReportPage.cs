using System.Reflection;
using System.Text;
using Markdig;
using Markdig.Extensions.AutoIdentifiers;

namespace Coherency.Bench.Reports;

/// <param name="IsNumber">Its cells are aligned to the right.</param>
internal readonly record struct Column(string Title, bool IsNumber = true);

/// <param name="Detail">Behind the text.</param>
/// <param name="Mark">A word on a figure that must not be overlooked.</param>
internal readonly record struct Cell(string Text, string? Detail = null, string? Mark = null)
{
    public static readonly Cell Empty = new("");
}

/// <param name="IsOurs">To be found at a glance.</param>
internal readonly record struct Row(IReadOnlyList<Cell> Cells, bool IsOurs = false);

/// <param name="Description">What the drawing says, for who does not see it.</param>
/// <param name="Svg">The drawing.</param>
internal sealed record Figure(string Caption, string Description, string Svg);

/// <summary>
/// A report as it is written: Markdown, of which the page is made that needs nothing else, neither network nor script. Figures are
/// on the page alone; their values stand in the tables too. Whatever is written is text, and never markup.
/// </summary>
internal sealed class ReportPage
{
    private const char Replacement = '\uFFFD';

    /// <summary>Characters that mean something in Markdown.</summary>
    private const string Markup = @"\`*_[]<>|#&!";

    private static readonly MarkdownPipeline Pipeline =
        new MarkdownPipelineBuilder().UsePipeTables().UseAutoIdentifiers(AutoIdentifierOptions.GitHub).Build();

    private readonly string _title;
    private readonly List<(string Text, bool IsFigure)> _blocks = [];

    public ReportPage(string title, string lead)
    {
        _title = title;
        Add($"# {Escape(title)}");
        Paragraph(lead);
    }

    /// <summary>Of a part with an entry in the list at the beginning.</summary>
    public void Section(string title) => Add($"## {Escape(title)}");

    public void Heading(string title) => Add($"### {Escape(title)}");

    public void Paragraph(string text) => Add(Escape(text));

    /// <summary>Text as it would stand on a terminal: indented, not fenced, so that nothing in it can end it.</summary>
    public void Verbatim(string text) => Add(string.Join('\n', Clean(text).Split('\n').Select(line => $"    {line}".TrimEnd())));

    /// <summary>A table without the columns that say nothing, or nothing at all when there are no rows.</summary>
    /// <param name="caption">What the rows have in common.</param>
    public void Table(string caption, IReadOnlyList<Column> columns, IReadOnlyList<Row> rows)
    {
        int[] kept = [.. Enumerable.Range(0, columns.Count).Where(column => rows.Any(row => row.Cells[column] != Cell.Empty))];
        if (kept.Length == 0)
            return;
        Paragraph(caption);
        Add(string.Join('\n', (string[])
        [
            Line(kept.Select(column => Escape(columns[column].Title))),
            Line(kept.Select(column => columns[column].IsNumber ? "--:" : "---")),
            .. rows.Select(row => Line(kept.Select(column => Text(row.Cells[column], isBold: row.IsOurs && column == 0)))),
        ]));
    }

    /// <summary>Each as an image of its own: drawings within one document would share the names in them.</summary>
    public void Figures(IEnumerable<Figure> figures)
    {
        foreach (Figure figure in figures)
        {
            string data = Convert.ToBase64String(Encoding.UTF8.GetBytes(figure.Svg));
            Add($"{Escape(figure.Caption)}\n![{Escape(figure.Description)}](data:image/svg+xml;base64,{data})", isFigure: true);
        }
    }

    public string ToMarkdown() => Join(_blocks.Where(block => !block.IsFigure));

    public string ToHtml() =>
        $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title>{_title}</title>
        <style>
        {ReadStyle()}</style>
        </head>
        <body>
        {Markdown.ToHtml(Join(_blocks), Pipeline)}</body>
        </html>

        """;

    private static string Join(IEnumerable<(string Text, bool IsFigure)> blocks) =>
        string.Join("\n\n", blocks.Select(block => block.Text)) + "\n";

    private static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";

    private static string Text(Cell cell, bool isBold)
    {
        string text = isBold && cell.Text.Length > 0 ? $"**{Escape(cell.Text)}**" : Escape(cell.Text);
        string[] parts = [text, Escape(cell.Detail ?? ""), cell.Mark is null ? "" : $"**{Escape(cell.Mark)}**"];
        return string.Join(' ', parts.Where(part => part.Length > 0));
    }

    private static string Escape(string text) => string.Concat(
        Clean(text).ReplaceLineEndings(" ").Select(
            character => Markup.Contains(character, StringComparison.Ordinal) ? $"\\{character}" : $"{character}"));

    /// <summary>A version that a program tells of itself may hold any character.</summary>
    private static string Clean(string text) => string.Concat(
        text.ReplaceLineEndings("\n").Select(character => char.IsControl(character) && character != '\n' ? Replacement : character));

    private static string ReadStyle()
    {
        using StreamReader style = new(Assembly.GetExecutingAssembly().GetManifestResourceStream("report.css")!);
        return style.ReadToEnd();
    }

    private void Add(string text, bool isFigure = false) => _blocks.Add((text, isFigure));
}
