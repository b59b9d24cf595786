namespace Coherency.Bench.Reports;

/// <summary>The medians of a run for people, a table for each level, with ratios to the best peer.</summary>
internal static class ConsoleSummary
{
    private const int FirstNumericColumn = 3;

    /// <summary>For these a line of ours says how it compares with the best of the others.</summary>
    private static readonly Quantity[] Compared = [Quantity.Duration, Quantity.LatencyP50, Quantity.LatencyP99, Quantity.Rate];

    public static void Write(BenchResults results)
    {
        Findings findings = new([results]);
        // Memory and the like have quantities of their own, and so a table of their own.
        foreach (IGrouping<(BenchLevel, string), Situation> table in findings.Situations
            .Where(situation => findings.QuantitiesOf(situation).Any())
            .GroupBy(situation => (situation.Level, string.Join(',', findings.QuantitiesOf(situation).Order()))))
        {
            Write(findings, [.. table]);
        }

        WriteRemarks(results);
    }

    private static void Write(Findings findings, Situation[] situations)
    {
        Quantity[] quantities = [.. findings.QuantitiesOf(situations[0]).Order()];
        Quantity[] compared = [.. quantities.Intersect(Compared)];
        ConsoleTable.Write(
            [
                "scenario", "conditions", "contender",
                .. quantities.Select(Readable.Heading),
                .. compared.Select(quantity => $"{Readable.Name(quantity)} x peer"),
            ],
            [.. from situation in situations
                from contender in findings.ContendersOf(situation.Level)
                where findings.HasFigure(situation, contender)
                select (string[])
                [
                    situation.Title,
                    Readable.Conditions(situation.Level, situation.Conditions),
                    contender,
                    .. quantities.Select(
                        quantity => findings.Find(situation, contender, quantity) is { } found ? Readable.Of(quantity, found.Median) : "-"),
                    .. compared.Select(quantity => RatioToBestPeer(findings, situation, contender, quantity)),
                ]],
            FirstNumericColumn);
        Console.WriteLine();
    }

    /// <summary>How many times better ours is; empty for a peer, or where there is none.</summary>
    private static string RatioToBestPeer(Findings findings, Situation situation, string contender, Quantity quantity) =>
        ContenderNames.IsOurs(contender)
        && findings.Ratio(situation, quantity, contender, findings.FindBest(situation, quantity, ContenderNames.IsPeer)) is { } ratio
            ? Readable.Ratio(ratio)
            : "";

    private static void WriteRemarks(BenchResults results)
    {
        foreach (ContenderDescription contender in results.Contenders.Where(contender => contender.Commands.Count == 0))
            Console.WriteLine($"not measured: {contender.Name}: {contender.Version}");

        foreach (IGrouping<(string Contender, string Remark), Observation> remark in results.Observations
            .Where(row => row.Remark is not null)
            .GroupBy(row => (row.Contender, row.Remark!)))
        {
            string[] where = [.. remark.Select(row => $"{row.Scenario} ({Readable.Conditions(row.Level, row.Conditions)})").Distinct()];
            string others = where.Length > 1 ? $" and {where.Length - 1} more" : "";
            Console.WriteLine($"{remark.Key.Contender}, {where[0]}{others}: {remark.Key.Remark}");
        }

        Console.WriteLine("'x peer': how many times better than the best of the others in that column; below 1.00 one of them is better.");
    }
}
