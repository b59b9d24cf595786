using Coherency.Bench.Results;

namespace Coherency.Bench.Reports;

/// <summary>The medians of a run for people, a table for each level, with ratios to the best peer.</summary>
internal static class ConsoleSummary
{
    private const string OursPrefix = "coherencyd ";
    private const int FirstNumericColumn = 3;

    /// <summary>For these a line of ours says how it compares with the best of the others.</summary>
    private static readonly Quantity[] Compared = [Quantity.Duration, Quantity.LatencyP50, Quantity.LatencyP99, Quantity.Rate];

    public static void Write(BenchResults results)
    {
        foreach (IGrouping<BenchLevel, Observation> level in results.Observations.GroupBy(observation => observation.Level))
        {
            // Memory and the like have quantities of their own, and so a table of their own.
            foreach (Observation[] table in SplitByQuantities([.. level]))
            {
                Write(table);
            }
        }

        WriteRemarks(results);
    }

    private static IEnumerable<Observation[]> SplitByQuantities(Observation[] observations) => observations
        .GroupBy(observation => (observation.Scenario, observation.Conditions))
        .GroupBy(rows => string.Join(',', rows.Where(row => row.Samples.Count > 0).Select(row => row.Quantity).Distinct().Order()))
        .Where(group => group.Key.Length > 0)
        .Select(group => group.SelectMany(rows => rows).ToArray());

    private static void Write(Observation[] observations)
    {
        Quantity[] quantities = [.. observations.Where(row => row.Samples.Count > 0).Select(row => row.Quantity).Distinct().Order()];
        Quantity[] compared = [.. quantities.Intersect(Compared)];
        string[] columns =
        [
            "scenario", "conditions", "contender",
            .. quantities.Select(Cells.Heading),
            .. compared.Select(quantity => $"{Cells.Heading(quantity).Split(' ')[0]} x peer"),
        ];
        List<string[]> rows = [];
        foreach (IGrouping<(string Title, Conditions Conditions), Observation> scenario in observations.GroupBy(row => (row.Title, row.Conditions)))
        {
            rows.AddRange(scenario.GroupBy(row => row.Contender).Select(contender => (string[])
            [
                scenario.Key.Title,
                Cells.Conditions(scenario.Key.Conditions),
                contender.Key,
                .. quantities.Select(quantity => Median(contender, quantity) is { } median ? Cells.Number(median) : "-"),
                .. compared.Select(quantity => RatioToBestPeer([.. scenario], contender.Key, quantity)),
            ]));
        }

        ConsoleTable.Write(columns, rows, FirstNumericColumn);
        Console.WriteLine();
    }

    /// <summary>How many times better ours is; above 1 is better, whichever direction that is. Empty for a peer, or where there is none.</summary>
    private static string RatioToBestPeer(Observation[] scenario, string contender, Quantity quantity)
    {
        double[] peers = [.. scenario.Where(row => !IsOurs(row.Contender)).GroupBy(row => row.Contender).Select(peer => Median(peer, quantity)).OfType<double>()];
        double? own = Median(scenario.Where(row => row.Contender == contender), quantity);
        if (!IsOurs(contender) || peers.Length == 0 || own is not { } median)
        {
            return "";
        }

        return Cells.Ratio(quantity.IsLargerBetter() ? median / peers.Max() : peers.Min() / median);
    }

    private static void WriteRemarks(BenchResults results)
    {
        foreach (ContenderDescription contender in results.Contenders.Where(contender => contender.Commands.Count == 0))
        {
            Console.WriteLine($"not measured: {contender.Name}: {contender.Version}");
        }

        foreach (IGrouping<(string Contender, string Remark), Observation> remark in results.Observations
            .Where(row => row.Remark is not null)
            .GroupBy(row => (row.Contender, row.Remark!)))
        {
            string[] where = [.. remark.Select(row => $"{row.Scenario} ({Cells.Conditions(row.Conditions)})").Distinct()];
            string others = where.Length > 1 ? $" and {where.Length - 1} more" : "";
            Console.WriteLine($"{remark.Key.Contender}, {where[0]}{others}: {remark.Key.Remark}");
        }

        Console.WriteLine("'x peer': how many times better than the best of the others in that column; below 1.00 one of them is better.");
    }

    private static double? Median(IEnumerable<Observation> observations, Quantity quantity) =>
        observations.FirstOrDefault(row => row.Quantity == quantity && row.Samples.Count > 0) is { } found
            ? Statistics.EstimateMedian(found.Samples).Median
            : null;

    private static bool IsOurs(string contender) => contender.StartsWith(OursPrefix, StringComparison.Ordinal);
}
