using System.CommandLine;
using Coherency.Bench.Reports;

namespace Coherency.Bench;

/// <summary><c>coherency-bench report</c>: one report of the results of any number of runs.</summary>
internal static class ReportCommand
{
    private static readonly Argument<string[]> Files = new("results")
    {
        Description = "Files that run --json wrote. What several of them measured is taken from the last one.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Html = new("--html") { Description = "Write a page that needs nothing else to this file." };
    private static readonly Option<string?> Markdown = new("--markdown") { Description = "Write Markdown tables to this file." };

    public static Command Create() => BenchCommandLine
        .Command("report", "Make a page or Markdown tables of results.", [Files, Html, Markdown], (arguments, _) =>
    {
        (string? html, string? markdown) = (arguments.GetValue(Html), arguments.GetValue(Markdown));
        BenchCommandLine.Check(
            html is not null || markdown is not null, "say where the report goes: --html FILE, --markdown FILE, or both");
        Report.Write([.. arguments.GetRequiredValue(Files).Select(ResultsFile.Read)], html, markdown);
        return 0;
    });
}
