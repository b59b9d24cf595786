using System.CommandLine;
using Coherency.Bench.Reports;

namespace Coherency.Bench;

/// <summary><c>coherency-bench compare</c>: finds what became better or worse between two runs.</summary>
internal static class CompareCommand
{
    private const int Regression = 1;
    private const double PercentPerWhole = 100;

    private static readonly Argument<string> Before = new("BEFORE") { Description = "Results of the first run, as run --json wrote them." };
    private static readonly Argument<string> After = new("AFTER") { Description = "Results of the second run." };

    private static readonly Option<string> Threshold = new("--threshold")
    {
        Description = "Difference of medians up to which two measured figures count as equal, in percent; counts are compared exactly.",
        DefaultValueFactory = _ => "5",
        HelpName = "PERCENT",
    };

    private static readonly Option<string?> Only = new("--contender")
    {
        Description = "Compare only this contender, with or without its mode: the others did not change, but the machine may have.",
        HelpName = "NAME",
    };

    public static Command Create() => BenchCommandLine.Command(
        "compare",
        "Compare two runs. Ends with 0 when nothing became worse, 1 when something did, 2 when the command line or a file is wrong.",
        [Before, After, Threshold, Only],
        Execute,
        ofFiles: BenchCommandLine.WrongUsage);

    private static int Execute(ParseResult arguments, CancellationToken interrupted)
    {
        double threshold = ParseThreshold(arguments.GetRequiredValue(Threshold));
        Comparison comparison = Comparison.Of(Read(arguments, Before), Read(arguments, After), threshold);
        ConsoleComparison.Write(comparison);
        return comparison.HasRegression ? Regression : 0;
    }

    private static Observation[] Read(ParseResult arguments, Argument<string> file)
    {
        string path = arguments.GetRequiredValue(file);
        string? only = arguments.GetValue(Only);
        IReadOnlyList<Observation> all = ResultsFile.Read(path).Observations;
        Observation[] chosen = [.. all.Where(row => only is null || ContenderNames.IsMeant(row.Contender, only))];
        return chosen.Length > 0 || only is null
            ? chosen
            : throw new ArgumentException(
                $"--contender: {path} has no {only}; it has {string.Join(", ", all.Select(row => row.Contender).Distinct())}");
    }

    private static double ParseThreshold(string text) =>
        double.TryParse(text.TrimEnd('%', ' '), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent)
            ? percent / PercentPerWhole
            : throw new ArgumentException($"--threshold is a percentage such as 5, not {text}");
}
