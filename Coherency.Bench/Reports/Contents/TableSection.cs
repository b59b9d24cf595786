using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Reports.Plots;
using Coherency.Bench.Results;
using Coherency.Bench.SlotSharing;

namespace Coherency.Bench.Reports.Contents;

/// <summary>Level 1: calls of the version table, and what it costs that keys share its slots.</summary>
internal static class TableSection
{
    /// <summary>The section's content; empty when nothing of level 1 was measured.</summary>
    public static IReadOnlyList<Block> Build(Findings findings) => [.. Calls(findings), .. Sharing(findings)];

    private static IEnumerable<Block> Calls(Findings findings)
    {
        Row[] rows =
        [
            .. from situation in findings.OfLevel(BenchLevel.Table)
               group situation by situation.Scenario into variants
               from situation in variants
               from contender in findings.Contenders
               let time = findings.Find(situation, contender, Quantity.CallTime)
               where time is not null
               select new Row([new Cell(situation.Title), new Cell(Variant(situation.Conditions, [.. variants.Select(other => other.Conditions)])), TimeCell(time.Value)]),
        ];
        if (rows.Length > 0)
        {
            yield return new DataTable(
                "Calls of the version table, and what they are made of, in one process. Medians with 95 % intervals.",
                [new Column("call", ColumnKind.Text), new Column("with", ColumnKind.Text), new Column("time, ns")],
                rows);
        }
    }

    private static Cell TimeCell(MedianEstimate time) => new(
        Readable.Number(time.Median),
        time.HasInterval ? $"[{Readable.Number(Math.Max(0, time.Low))}–{Readable.Number(time.High)}]" : null);

    /// <summary>What this variant has that the others of its scenario have not.</summary>
    private static string Variant(Conditions conditions, IReadOnlyList<Conditions> all) =>
        all.Any(other => other.Size != conditions.Size) ? $"{Readable.Count(conditions.Size)} bytes"
        : all.Any(other => other.Guests != conditions.Guests) ? $"{Readable.Count(conditions.Guests)} guests attached"
        : all.Any(other => other.Depth != conditions.Depth) ? $"{Readable.Count(conditions.Depth)} threads"
        : "";

    private static IEnumerable<Block> Sharing(Findings findings)
    {
        Situation[] situations = [.. findings.OfLevel(BenchLevel.Table).Where(situation => findings.QuantitiesOf(situation).Contains(Quantity.FalseSharing))];
        if (situations.Length == 0)
        {
            yield break;
        }

        yield return new Heading("Keys that share slots");
        yield return new Paragraph(
            "Requests a second that are sent in vain, because a change of something else moved the slot of a cached entry, all guests together. "
            + "Each guest looks 1,000,000 times a second at its entries. The first figure is the formula's, the second one is simulated.");
        yield return new PlotRow([.. situations.Where(situation => situation.Conditions.Guests == 1).GroupBy(situation => SharingCase.SplitTitle(situation.Title).Changes).Select(group => DrawSharing(findings, group.Key, [.. group]))]);
        yield return SharingTable(findings, situations);
    }

    private static Plot DrawSharing(Findings findings, string changes, Situation[] situations)
    {
        Series[] series =
        [
            .. situations.GroupBy(situation => situation.Title).Select((entries, style) => new Series(
                SharingCase.SplitTitle(entries.Key).Entries,
                style,
                IsOurs: false,
                [
                    .. from situation in entries
                       orderby situation.Conditions.Size
                       let found = Simulated(findings, situation)
                       where found is not null
                       select ((double)situation.Conditions.Size, found.Value),
                ])),
        ];
        string title = $"Simulated requests in vain, {changes}, one guest";
        return new Plot(title, new LinePlot(title, "slots", "requests/s in vain", [.. series.Where(line => line.Points.Count > 0)]) { XText = Readable.Binary }.Draw());
    }

    private static DataTable SharingTable(Findings findings, Situation[] situations)
    {
        long[] slots = [.. situations.Select(situation => situation.Conditions.Size).Distinct().Order()];
        Row[] rows =
        [
            .. from situation in situations
               group situation by (situation.Title, situation.Conditions.Guests) into sizes
               select new Row(
               [
                   new Cell($"{sizes.Key.Title}, {(sizes.Key.Guests == 1 ? "one guest" : $"{Readable.Count(sizes.Key.Guests)} guests")}"),
                   .. slots.Select(count => SharingCell(findings, sizes.FirstOrDefault(situation => situation.Conditions.Size == count))),
               ]),
        ];
        return new DataTable(
            "Requests a second in vain by slots of each table: formula (simulated).",
            [new Column("cached by each guest, changed by others", ColumnKind.Text), .. slots.Select(count => new Column($"{Readable.Count(count)} slots"))],
            rows);
    }

    private static Cell SharingCell(Findings findings, Situation? situation)
    {
        if (situation is null || findings.Find(situation, SharingCase.FormulaName, Quantity.FalseSharing) is not { } formula)
        {
            return Cell.Empty;
        }

        bool differs = findings.RemarksOn(situation, SharingCase.SampledName)
            .Concat(findings.RemarksOn(situation, SharingCase.EachEntryName))
            .Any(remark => remark.StartsWith("DIFFERS", StringComparison.Ordinal));
        return new Cell(
            Readable.Number(formula.Median),
            Simulated(findings, situation) is { } simulated ? $"({Readable.Number(simulated.Median)})" : null,
            differs ? Mark.Bad : Mark.None,
            differs ? "they differ" : null);
    }

    /// <summary>Every entry with the real hash where that was done.</summary>
    private static MedianEstimate? Simulated(Findings findings, Situation situation) =>
        findings.Find(situation, SharingCase.EachEntryName, Quantity.FalseSharing)
        ?? findings.Find(situation, SharingCase.SampledName, Quantity.FalseSharing);
}
