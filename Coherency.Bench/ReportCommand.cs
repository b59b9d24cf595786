using System.CommandLine;
using Coherency.Bench.Reports;
using Coherency.Bench.Results;

namespace Coherency.Bench;

/// <summary><c>coherency-bench report</c>: one report of the results of any number of runs.</summary>
internal static class ReportCommand
{
    private const int WrongUsage = 2;

    private static readonly Argument<string[]> Files = new("results")
    {
        Description = "Files that run --json wrote. What several of them measured is taken from the last one.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Html = new("--html") { Description = "Write a page that needs nothing else to this file." };

    private static readonly Option<string?> Markdown = new("--markdown") { Description = "Write Markdown tables to this file." };

    public static Command Create()
    {
        Command command = new("report", "Make a page or Markdown tables of results.") { Files, Html, Markdown };
        command.SetAction(Execute);
        return command;
    }

    private static int Execute(ParseResult arguments)
    {
        string? html = arguments.GetValue(Html);
        string? markdown = arguments.GetValue(Markdown);
        if (html is null && markdown is null)
        {
            Console.Error.WriteLine("say where the report goes: --html FILE, --markdown FILE, or both");
            return WrongUsage;
        }

        try
        {
            ReportFiles.Write([.. arguments.GetRequiredValue(Files).Select(ResultsFile.Read)], html, markdown);
            return 0;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
