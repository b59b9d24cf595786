namespace Coherency.Bench.Results;

/// <summary>A scenario under the same conditions for all contenders: what may be compared.</summary>
internal sealed record Situation(BenchLevel Level, string Scenario, string Title, Conditions Conditions);

/// <summary>What one or several runs found, to be asked by whoever writes a report of it.</summary>
internal sealed class Findings
{
    private readonly ILookup<Situation, Observation> _observations;

    /// <param name="runs">
    /// Of a situation that several measured, the last one's figures count, for all contenders: ratios are of one run.
    /// </param>
    public Findings(IReadOnlyList<BenchResults> runs)
    {
        Runs = runs;
        _observations = (
            from run in runs
            from observation in run.Observations
            group (Run: run, Observation: observation) by SituationOf(observation) into measured
            let last = measured.Last().Run
            from entry in measured
            where entry.Run == last
            select entry.Observation).ToLookup(SituationOf);
        Staleness = [.. runs.SelectMany(run => run.Staleness)];
        Contenders = [.. runs.SelectMany(run => run.Contenders.Select(contender => contender.Name)
            .Concat(run.Observations.Select(found => found.Contender))).Distinct()];
    }

    public IReadOnlyList<BenchResults> Runs { get; }

    /// <summary>Every one that was measured or was to be, in the order of the reports.</summary>
    public IReadOnlyList<string> Contenders { get; }

    public IReadOnlyList<StalenessResult> Staleness { get; }

    public IEnumerable<Situation> Situations => _observations.Select(group => group.Key);

    public IEnumerable<Situation> OfLevel(BenchLevel level) => Situations.Where(situation => situation.Level == level);

    public IEnumerable<Situation> OfScenario(BenchLevel level, string scenario) =>
        OfLevel(level).Where(situation => situation.Scenario == scenario);

    /// <summary>Those that were to be measured in a level, in the order of the reports.</summary>
    public IReadOnlyList<string> ContendersOf(BenchLevel level)
    {
        HashSet<string> present =
            [.. OfLevel(level).SelectMany(situation => _observations[situation]).Select(observation => observation.Contender)];
        return [.. Contenders.Where(present.Contains)];
    }

    public IEnumerable<Quantity> QuantitiesOf(Situation situation) =>
        _observations[situation].Where(found => found.Samples.Count > 0).Select(found => found.Quantity).Distinct();

    /// <summary>What a contender took; null when that was not measured.</summary>
    public MedianEstimate? Find(Situation situation, string contender, Quantity quantity) =>
        _observations[situation].LastOrDefault(found => found.Contender == contender && found.Quantity == quantity
            && found.Samples.Count > 0) is { } observation
            ? Statistics.EstimateMedian(observation.Samples)
            : null;

    public bool HasFigure(Situation situation, string contender) =>
        _observations[situation].Any(found => found.Contender == contender && found.Samples.Count > 0);

    /// <summary>What a reader must know beside a contender's figures.</summary>
    public IEnumerable<string> RemarksOn(Situation situation, string contender) =>
        _observations[situation].Where(found => found.Contender == contender).Select(found => found.Remark).OfType<string>().Distinct();

    /// <summary>The program did not do what it should have done, in some round.</summary>
    public bool IsWrong(Situation situation, string contender) =>
        RemarksOn(situation, contender).Any(remark => remark.Contains(Observation.Wrong, StringComparison.Ordinal));

    public IEnumerable<StalenessResult> StalenessOf(string contender) =>
        Staleness.Where(result => result.Contender == contender && result.Looks > 0);

    /// <summary>It was looked at, and every look saw what was true. Who was not looked at has not shown that.</summary>
    public bool IsNeverStale(string contender) => StalenessOf(contender).Any() && StalenessOf(contender).All(result => result.Stale == 0);

    public bool IsPeerThatIsNeverStale(string contender) => ContenderNames.IsPeer(contender) && IsNeverStale(contender);

    /// <summary>
    /// What stands beside a contender's time, so that nobody takes a fast wrong answer for a win: such as "stale in 3 of 800 looks",
    /// whoever made the changes; null when no look was stale.
    /// </summary>
    public string? StaleMark(string contender)
    {
        int stale = StalenessOf(contender).Sum(result => result.Stale);
        return stale == 0
            ? null
            : $"stale in {Readable.Count(stale)} of {Readable.Count(StalenessOf(contender).Sum(result => result.Looks))} looks";
    }

    /// <summary>Ours: the coherent mode where it was measured, which is what the project promises.</summary>
    public string? OursIn(Situation situation, Quantity quantity) =>
        Find(situation, ContenderNames.Coherent, quantity) is not null
            ? ContenderNames.Coherent
            : FindBest(situation, quantity, ContenderNames.IsOurs);

    /// <summary>The contender that did best among some, and right; null when none of them was measured.</summary>
    public string? FindBest(Situation situation, Quantity quantity, Func<string, bool> isOne) => Contenders
        .Where(contender => isOne(contender) && !IsWrong(situation, contender) && Find(situation, contender, quantity) is not null)
        .Select(contender => (Contender: contender, Find(situation, contender, quantity)!.Value.Median))
        .OrderBy(entry => quantity.IsLargerBetter() ? -entry.Median : entry.Median)
        .FirstOrDefault().Contender;

    /// <summary>
    /// How many times better a contender is than another one; 1 and more: at least as good. Null when one is not measured.
    /// </summary>
    public double? Ratio(Situation situation, Quantity quantity, string contender, string? other)
    {
        if (other is null || Find(situation, contender, quantity) is not { } own || Find(situation, other, quantity) is not { } theirs)
            return null;
        double ratio = quantity.IsLargerBetter() ? own.Median / theirs.Median : theirs.Median / own.Median;
        return double.IsFinite(ratio) ? ratio : null;
    }

    private static Situation SituationOf(Observation found) => new(found.Level, found.Scenario, found.Title, found.Conditions);
}
