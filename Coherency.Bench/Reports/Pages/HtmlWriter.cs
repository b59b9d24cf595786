using System.Reflection;
using System.Xml;
using System.Xml.Linq;

namespace Coherency.Bench.Reports.Pages;

/// <summary>
/// A report as one HTML page that needs nothing else: no network, no script. It is built as XML, which is HTML too, so that
/// whatever stands in a text is escaped by the base library.
/// </summary>
internal static class HtmlWriter
{
    private const char Replacement = '\uFFFD';

    public static string Write(ReportPage page)
    {
        XDocument document = new(new XDocumentType("html", null, null, null), Html(page));
        ReplaceControlCharacters(document);
        return document + "\n";
    }

    private static XElement Html(ReportPage page) => new(
        "html",
        new XAttribute("lang", "en"),
        new XElement(
            "head",
            new XElement("meta", new XAttribute("charset", "utf-8")),
            new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
            new XElement("meta", new XAttribute("name", "color-scheme"), new XAttribute("content", "light dark")),
            new XElement("title", page.Title),
            new XElement("style", ReadStyle())),
        new XElement("body", Header(page), new XElement("main", page.Sections.Select(Render))));

    private static XElement Header(ReportPage page) => new(
        "header",
        new XElement("h1", page.Title),
        new XElement("p", Class("lead"), page.Lead),
        new XElement(
            "nav",
            new XAttribute("aria-label", "Sections"),
            new XElement("ul", page.Sections.Select(section => new XElement("li", new XElement("a", new XAttribute("href", "#" + section.Id), section.Title))))));

    private static XElement Render(Section section) => new(
        "section",
        new XAttribute("id", section.Id),
        new XAttribute("aria-labelledby", section.Id + "-title"),
        new XElement("h2", new XAttribute("id", section.Id + "-title"), section.Title),
        section.Blocks.Select(Render));

    private static XElement Render(Block block) => block switch
    {
        Heading heading => new XElement("h3", heading.Text),
        Paragraph paragraph => new XElement("p", paragraph.Text),
        Verbatim verbatim => new XElement("pre", new XAttribute("tabindex", 0), new XElement("code", verbatim.Text)),
        DataTable table => Render(table),
        PlotRow plots => new XElement("div", Class("plots"), plots.Items.Select(Render)),
        _ => throw new ArgumentException($"no HTML for {block.GetType().Name}", nameof(block)),
    };

    private static XElement Render(Plot plot) => new("figure", new XElement("figcaption", plot.Caption), new XElement("div", Class("drawing"), plot.Drawing));

    /// <summary>In a frame of its own, which scrolls sideways where the screen is narrow, with the keyboard too.</summary>
    private static XElement Render(DataTable table) => new(
        "div",
        Class("table"),
        new XAttribute("tabindex", 0),
        new XAttribute("role", "region"),
        new XAttribute("aria-label", table.Caption),
        new XElement(
            "table",
            new XElement("caption", table.Caption),
            new XElement("thead", new XElement("tr", table.Columns.Select(column => new XElement("th", new XAttribute("scope", "col"), ClassOf(column), column.Title)))),
            new XElement("tbody", table.Rows.Select(row => Render(row, table.Columns)))));

    private static XElement Render(Row row, IReadOnlyList<Column> columns)
    {
        string kind = string.Join(' ', new[] { row.IsOurs ? "ours" : "", row.BeginsGroup ? "group" : "" }.Where(part => part.Length > 0));
        return new XElement(
            "tr",
            kind.Length > 0 ? Class(kind) : null,
            row.Cells.Select((cell, column) => Render(cell, columns[column], isHeader: column == 0)));
    }

    private static XElement Render(Cell cell, Column column, bool isHeader) => new(
        isHeader ? "th" : "td",
        isHeader ? new XAttribute("scope", "row") : null,
        ClassOf(column),
        // An empty text, so that an empty cell has an end tag: HTML knows no other.
        cell.Text,
        cell.Detail is null ? null : new XElement("small", " ", cell.Detail),
        cell.MarkText is null ? null : new XElement("span", Class("mark " + ClassOf(cell.Mark)), " ", cell.MarkText));

    private static XAttribute? ClassOf(Column column) => column.Kind switch
    {
        ColumnKind.Number => Class("number"),
        ColumnKind.Words => Class("short"),
        _ => null,
    };

    private static string ClassOf(Mark mark) => mark switch
    {
        Mark.Good => "good",
        Mark.Bad => "bad",
        _ => "unknown",
    };

    private static XAttribute Class(string name) => new("class", name);

    /// <summary>XML has no way to write them, and a version that a program tells of itself may hold any.</summary>
    private static void ReplaceControlCharacters(XDocument document)
    {
        foreach (XText text in document.DescendantNodes().OfType<XText>())
        {
            text.Value = Clean(text.Value);
        }

        foreach (XAttribute attribute in document.Descendants().Attributes())
        {
            attribute.Value = Clean(attribute.Value);
        }
    }

    private static string Clean(string text) =>
        text.All(XmlConvert.IsXmlChar) ? text : string.Concat(text.Select(character => XmlConvert.IsXmlChar(character) ? character : Replacement));

    private static string ReadStyle()
    {
        using StreamReader style = new(Assembly.GetExecutingAssembly().GetManifestResourceStream("report.css")!);
        return style.ReadToEnd();
    }
}
