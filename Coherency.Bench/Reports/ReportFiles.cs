using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports;

/// <summary>Reports of results, as files.</summary>
internal static class ReportFiles
{
    /// <param name="runs">At least one.</param>
    /// <param name="html">Where to write a page; null for none.</param>
    /// <param name="markdown">Where to write Markdown; null for none.</param>
    public static void Write(IReadOnlyList<BenchResults> runs, string? html, string? markdown)
    {
        ReportPage page = ReportBuilder.Build(runs);
        if (html is not null)
        {
            File.WriteAllText(html, HtmlWriter.Write(page));
        }

        if (markdown is not null)
        {
            File.WriteAllText(markdown, MarkdownWriter.Write(page));
        }
    }
}
