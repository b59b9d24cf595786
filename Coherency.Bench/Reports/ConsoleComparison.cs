namespace Coherency.Bench.Reports;

/// <summary>What changed between two runs, for people.</summary>
internal static class ConsoleComparison
{
    private static readonly string[] Columns = ["scenario", "conditions", "contender", "quantity", "before", "after", "ratio", "p"];
    private const int FirstNumericColumn = 4;

    public static void Write(Comparison comparison)
    {
        WriteChanges("worse", comparison, Verdict.Worse);
        WriteChanges("better", comparison, Verdict.Better);
        WriteMissing("only in the first run", comparison, Verdict.OnlyBefore);
        WriteMissing("only in the second run", comparison, Verdict.OnlyAfter);
        int same = comparison.Figures.Count(figure => figure.Verdict == Verdict.Same);
        Console.WriteLine($"{same} of {comparison.Figures.Count} figures show no difference.");
        if (!comparison.FindsSingleDifferences)
            Console.WriteLine(
                $"Too few rounds to tell a single difference from chance among {comparison.Tests} figures: measure with more --rounds.");
    }

    private static void WriteChanges(string title, Comparison comparison, Verdict verdict)
    {
        string[][] rows = [.. comparison.Figures
            .Where(figure => figure.Verdict == verdict)
            .OrderByDescending(figure => Math.Abs(Math.Log(figure.Ratio)))
            .Select(RowOf)];
        Console.WriteLine($"{title}: {rows.Length}");
        ConsoleTable.Write(Columns, rows, FirstNumericColumn);
    }

    private static string[] RowOf(ComparedFigure figure) =>
    [
        figure.After.Title,
        Readable.Conditions(figure.After.Level, figure.After.Conditions),
        figure.After.Contender,
        Readable.Heading(figure.After.Quantity),
        Readable.Of(figure.After.Quantity, figure.Before),
        Readable.Of(figure.After.Quantity, figure.Now),
        Readable.Ratio(figure.Ratio),
        figure.After.Quantity.IsExact() ? "exact" : figure.Chance.ToString("0.0000", CultureInfo.InvariantCulture),
    ];

    private static void WriteMissing(string title, Comparison comparison, Verdict verdict)
    {
        foreach (ComparedFigure figure in comparison.Figures.Where(figure => figure.Verdict == verdict))
        {
            Observation row = figure.After;
            Console.WriteLine(
                $"{title}: {row.Scenario} ({Readable.Conditions(row.Level, row.Conditions)}), {row.Contender}, " +
                $"{Readable.Heading(row.Quantity)}");
        }
    }
}
