namespace Coherency.Bench.Reports;

/// <summary>All that was found in one scenario: a row for each contender under each condition.</summary>
/// <param name="situations">Of one scenario, at least one.</param>
internal sealed class ScenarioTable(Findings findings, IReadOnlyList<Situation> situations)
{
    /// <summary>In the order of the columns; the first ones are what it took, the others what it cost.</summary>
    private static readonly Quantity[] Taken = [Quantity.Duration, Quantity.LatencyP50, Quantity.LatencyP99, Quantity.Rate];
    private static readonly Quantity[] Costs =
        [Quantity.Requests, Quantity.DaemonCpu, Quantity.GuestCpu, Quantity.Memory, Quantity.InodeMemory, Quantity.Descriptors];

    /// <summary>What the contenders are compared by, where it was measured.</summary>
    private readonly Quantity[] _compared = [.. ((Quantity[])[Quantity.Duration, Quantity.LatencyP50, Quantity.Rate])
        .Intersect(situations.SelectMany(findings.QuantitiesOf))];

    /// <summary>One title in most scenarios; where a number in it varies, all.</summary>
    public static string TitleOf(IReadOnlyList<Situation> situations) =>
        string.Join(", ", situations.Select(situation => situation.Title).Distinct());

    public void AddTo(ReportPage page) => page.Table(
        _compared.Length == 0
            ? TitleOf(situations)
            : $"{TitleOf(situations)}. Medians with 95 % intervals; ratios say how many times better a line is " +
                $"({string.Join(" / ", _compared.Select(Readable.Name))}): 1.00 and more is at least as good.",
        [
            new("contender", false),
            new("conditions", false),
            .. Taken.Select(ColumnOf),
            new("to the best peer"),
            new("to the best peer that is never stale"),
            new("to the limit, ext4"),
            .. Costs.Select(ColumnOf),
        ],
        [.. from situation in situations
            from contender in findings.ContendersOf(situations[0].Level)
            select new Row([.. Cells(situation, contender)], ContenderNames.IsOurs(contender))]);

    private Column ColumnOf(Quantity quantity) => new(quantity == Quantity.Requests
        ? situations[0].Level == BenchLevel.Daemon ? "requests per operation" : "requests"
        : $"{Readable.Name(quantity)}, {Readable.Unit(quantity)}");

    private IEnumerable<Cell> Cells(Situation situation, string contender)
    {
        string remarks = string.Join("; ", findings.RemarksOn(situation, contender));
        yield return new Cell(
            contender, remarks.Length > 0 ? remarks : null, findings.HasFigure(situation, contender) ? null : "not measured");
        yield return new Cell(Readable.Conditions(situation.Level, situation.Conditions));
        // A contender that was stale, or with which the program went wrong, is marked at the first of its figures.
        string mark = string.Join(
            "; ",
            ((string?[])[findings.IsWrong(situation, contender) ? "wrong result" : null, findings.StaleMark(contender)]).OfType<string>());
        foreach (Quantity quantity in Taken)
        {
            Cell cell = Measured(situation, contender, quantity);
            yield return cell != Cell.Empty && mark.Length > 0 ? cell with { Mark = mark } : cell;
            mark = cell == Cell.Empty ? mark : "";
        }

        yield return RatioCell(situation, contender, ContenderNames.IsPeer);
        yield return RatioCell(situation, contender, findings.IsPeerThatIsNeverStale);
        yield return RatioCell(situation, contender, ContenderNames.IsLimit);
        foreach (Quantity quantity in Costs)
            yield return Measured(situation, contender, quantity);
    }

    private Cell Measured(Situation situation, string contender, Quantity quantity) =>
        findings.Find(situation, contender, quantity) is { } found
            ? new Cell(Readable.Of(quantity, found.Median), Readable.Interval(quantity, found))
            : Cell.Empty;

    private Cell RatioCell(Situation situation, string contender, Func<string, bool> isOther)
    {
        string[] ratios =
        [
            .. from quantity in _compared
               let other = findings.FindBest(situation, quantity, isOther)
               select findings.Ratio(situation, quantity, contender, other) is { } ratio ? Readable.Ratio(ratio) : "",
        ];
        return ratios.All(ratio => ratio.Length == 0) ? Cell.Empty : new Cell(string.Join(" / ", ratios));
    }
}
