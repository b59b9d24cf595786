using System.Text;

namespace Coherency.Packaging.Manual;

/// <summary>Writes a page of the manual in the macros of man(7).</summary>
internal sealed class Roff
{
    private const int Columns = 78;

    private readonly StringBuilder _page = new();

    /// <param name="name">The page's name, as <c>coherencyd-serve</c>.</param>
    /// <param name="section">1, 5 or 8.</param>
    /// <param name="description">A line for apropos(1).</param>
    public Roff(string name, int section, string description, ManualRelease release)
    {
        Line($".TH {name.ToUpperInvariant()} {section} {release.Date:yyyy-MM-dd} \"coherencyd {release.Version}\"");
        Section("NAME");
        Line($"{Escape(name)} \\- {Escape(description)}");
    }

    public static string Bold(string text) => $"\\fB{Escape(text)}\\fR";

    public static string Italic(string text) => $"\\fI{Escape(text)}\\fR";

    public static string Escape(string text) =>
        text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal);

    public void Section(string title) => Line($".SH {title}");

    public void Subsection(string title) => Line($".SS {title}");

    public void Break() => Line(".br");

    public void Paragraph() => Line(".PP");

    /// <summary>A term and what is said of it.</summary>
    public void Tagged(string markup, string text)
    {
        Line(".TP");
        Line(markup);
        Text(text);
    }

    /// <summary>Words, in lines of the usual length.</summary>
    public void Text(string text) => Markup(Escape(text));

    /// <summary>Escaped words.</summary>
    public void Markup(string markup)
    {
        StringBuilder line = new();
        foreach (string word in markup.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + word.Length >= Columns)
            {
                Line(Guarded(line.ToString()));
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(word);
        }

        Line(Guarded(line.ToString()));
    }

    /// <summary>Lines that are roff already.</summary>
    public void Verbatim(string lines) => _page.Append(lines);

    public override string ToString() => _page.ToString();

    /// <summary>A line of text that begins like a request is none.</summary>
    private static string Guarded(string line) => line is ['.' or '\'', ..] ? "\\&" + line : line;

    private void Line(string line) => _page.Append(line).Append('\n');
}
