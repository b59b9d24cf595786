using Coherency.Bench.Reports.Pages;
using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>All that was found in one scenario: a row for each contender under each condition.</summary>
internal sealed class ScenarioTable
{
    /// <summary>What the contenders are compared by, where it was measured.</summary>
    private static readonly Quantity[] Compared = [Quantity.Duration, Quantity.LatencyP50, Quantity.Rate];

    /// <summary>In the order of the columns; the first ones are what it took, the others what it cost.</summary>
    private static readonly Quantity[] Taken = [Quantity.Duration, Quantity.LatencyP50, Quantity.LatencyP99, Quantity.Rate];

    private static readonly Quantity[] Costs =
        [Quantity.Requests, Quantity.DaemonCpu, Quantity.GuestCpu, Quantity.Memory, Quantity.InodeMemory, Quantity.Descriptors];

    private readonly Findings _findings;
    private readonly IReadOnlyList<Situation> _situations;
    private readonly IReadOnlyList<string> _contenders;
    private readonly Quantity[] _taken;
    private readonly Quantity[] _compared;
    private readonly Quantity[] _costs;
    private readonly (string Title, Func<Situation, Quantity, string?> Other)[] _ratios;

    /// <param name="situations">Of one scenario, at least one.</param>
    public ScenarioTable(Findings findings, IReadOnlyList<Situation> situations)
    {
        _findings = findings;
        _situations = situations;
        _contenders = findings.ContendersOf(situations[0].Level);
        HashSet<Quantity> measured = [.. situations.SelectMany(findings.QuantitiesOf)];
        _taken = [.. Taken.Where(measured.Contains)];
        _compared = [.. Compared.Where(measured.Contains)];
        _costs = [.. Costs.Where(measured.Contains)];
        _ratios = [.. AllRatios().Where(ratio => situations.Any(situation => _compared.Any(quantity => ratio.Other(situation, quantity) is not null)))];
    }

    public DataTable Build() => new(Caption, [.. Columns()], [.. _situations.SelectMany(Rows)]);

    private string Caption => _ratios.Length == 0
        ? TitleOf(_situations)
        : $"{TitleOf(_situations)}. Medians with 95 % intervals; ratios say how many times better a line is ({string.Join(" / ", _compared.Select(Readable.Name))}): 1.00 and more is at least as good.";

    /// <summary>One title in most scenarios; where a number in it varies, all.</summary>
    public static string TitleOf(IReadOnlyList<Situation> situations) => string.Join(", ", situations.Select(situation => situation.Title).Distinct());

    private IEnumerable<(string Title, Func<Situation, Quantity, string?> Other)> AllRatios() =>
    [
        ("to the best peer", (situation, quantity) => _findings.FindBest(situation, quantity, ContenderNames.IsPeer)),
        ("to the best peer that is never stale", (situation, quantity) =>
            _findings.FindBest(situation, quantity, contender => ContenderNames.IsPeer(contender) && _findings.IsNeverStale(contender))),
        ("to the limit, ext4", (situation, quantity) => _findings.FindBest(situation, quantity, contender => contender == ContenderNames.Limit)),
    ];

    private bool HasConditions => _situations.Count > 1 || ConditionsOf(_situations[0]).Length > 0;

    private IEnumerable<Column> Columns() =>
    [
        new Column("contender", ColumnKind.Text),
        .. HasConditions ? [new Column("conditions", ColumnKind.Words)] : Array.Empty<Column>(),
        .. _taken.Select(TitleOf),
        .. _ratios.Select(ratio => new Column(ratio.Title)),
        .. _costs.Select(TitleOf),
    ];

    private Column TitleOf(Quantity quantity) => new(quantity == Quantity.Requests
        ? _situations[0].Level == BenchLevel.Daemon ? "requests per operation" : "requests"
        : $"{Readable.Name(quantity)}, {Readable.Unit(quantity)}");

    private IEnumerable<Row> Rows(Situation situation) => _contenders.Select((contender, index) =>
        new Row([.. Cells(situation, contender)], ContenderNames.IsOurs(contender), BeginsGroup: index == 0));

    private IEnumerable<Cell> Cells(Situation situation, string contender)
    {
        bool isMeasured = _findings.HasFigure(situation, contender);
        string remarks = string.Join("; ", _findings.RemarksOn(situation, contender));
        yield return new Cell(
            contender,
            remarks.Length > 0 ? remarks : null,
            isMeasured ? Mark.None : Mark.Unknown,
            isMeasured ? null : "not measured");
        if (HasConditions)
        {
            yield return new Cell(ConditionsOf(situation));
        }

        for (int i = 0; i < _taken.Length; i++)
        {
            yield return TakenCell(situation, contender, _taken[i], isFirst: i == 0);
        }

        foreach ((_, Func<Situation, Quantity, string?> other) in _ratios)
        {
            yield return RatioCell(situation, contender, other);
        }

        foreach (Quantity quantity in _costs)
        {
            yield return Measured(situation, contender, quantity) ?? Cell.Empty;
        }
    }

    /// <summary>A contender that was stale, or with which the program went wrong, is marked at the first of its figures.</summary>
    private Cell TakenCell(Situation situation, string contender, Quantity quantity, bool isFirst)
    {
        Cell cell = Measured(situation, contender, quantity) ?? Cell.Empty;
        string?[] marks = [_findings.IsWrong(situation, contender) ? "wrong result" : null, StaleMark.Of(_findings, contender)];
        string mark = string.Join("; ", marks.OfType<string>());
        return isFirst && cell.Text.Length > 0 && mark.Length > 0 ? cell with { Mark = Mark.Bad, MarkText = mark } : cell;
    }

    private Cell? Measured(Situation situation, string contender, Quantity quantity)
    {
        if (_findings.Find(situation, contender, quantity) is not { } found)
        {
            return null;
        }

        // Of a count that never varied there is no interval to speak of.
        bool hasInterval = found.HasInterval && (!quantity.IsExact() || found.Low != found.High);
        return new Cell(
            Readable.Of(quantity, found.Median),
            hasInterval ? $"[{Readable.Of(quantity, Math.Max(0, found.Low))}–{Readable.Of(quantity, found.High)}]" : null);
    }

    private Cell RatioCell(Situation situation, string contender, Func<Situation, Quantity, string?> other)
    {
        string[] ratios = [.. _compared.Select(quantity => _findings.Ratio(situation, quantity, contender, other(situation, quantity)) is { } ratio ? Readable.Ratio(ratio) : "")];
        return ratios.All(ratio => ratio.Length == 0) ? Cell.Empty : new Cell(string.Join(" / ", ratios));
    }

    private static string ConditionsOf(Situation situation) => Readable.Conditions(situation.Level, situation.Conditions);
}
