namespace Coherency.Bench.Results;

/// <summary>What a comparison says of one figure.</summary>
internal enum Verdict
{
    /// <summary>No difference that is both large enough and more than chance.</summary>
    Same,
    Better,
    Worse,

    /// <summary>Measured in the first run alone, or in the second.</summary>
    OnlyBefore,
    OnlyAfter,
}

/// <summary>One quantity of one contender in one scenario, in two runs.</summary>
/// <param name="After">As it is in the second run; the first run's where <see cref="Verdict"/> is OnlyBefore.</param>
/// <param name="Before">The median of the first run; 0 where there is none, as in <paramref name="Now"/>.</param>
/// <param name="Now">The median of the second run.</param>
/// <param name="Chance">Two-sided p-value, adjusted for the number of comparisons; 0 or 1 for counts.</param>
internal sealed record ComparedFigure(Observation After, double Before, double Now, double Chance, Verdict Verdict)
{
    /// <summary>How many times the first run's figure the second one's is.</summary>
    public double Ratio => Before == Now ? 1 : Now / Before;
}

/// <summary>
/// Compares two runs figure by figure. Counts must be equal; what was measured must differ by more than chance and by more than a
/// threshold.
/// </summary>
/// <param name="Tests">Figures that were tested for a difference by more than chance.</param>
/// <param name="LeastChance">The p-value of the clearest difference that so many rounds can show.</param>
internal sealed record Comparison(IReadOnlyList<ComparedFigure> Figures, int Tests, double LeastChance)
{
    /// <summary>At most so many of the differences that are named are expected to be chance.</summary>
    public const double ChanceMax = 0.05;

    public bool HasRegression => Figures.Any(figure => figure.Verdict == Verdict.Worse);

    /// <summary>Could one difference alone be told from chance, with so few rounds for so many figures?</summary>
    public bool FindsSingleDifferences => Tests == 0 || LeastChance * Tests <= ChanceMax;

    /// <param name="threshold">Relative difference of medians up to which two measured figures count as equal, such as 0.05.</param>
    public static Comparison Of(IReadOnlyList<Observation> before, IReadOnlyList<Observation> after, double threshold)
    {
        Dictionary<object, Observation> first = ByKey(before);
        Dictionary<object, Observation> second = ByKey(after);
        (Observation Before, Observation After)[] pairs =
            [.. second.Where(entry => first.ContainsKey(entry.Key)).Select(entry => (first[entry.Key], entry.Value))];
        (Observation Before, Observation After)[] noisy = [.. pairs.Where(pair => !pair.After.Quantity.IsExact())];
        double[] chances = Statistics.AdjustForMany(
            [.. noisy.Select(pair => Statistics.DifferenceByChance(pair.Before.Samples, pair.After.Samples))]);
        ComparedFigure[] figures =
        [
            .. noisy.Select((pair, index) => Judge(pair.Before, pair.After, chances[index], threshold)),
            .. pairs.Where(pair => pair.After.Quantity.IsExact()).Select(pair => Judge(pair.Before, pair.After, chance: 0, threshold: 0)),
            .. first.Where(entry => !second.ContainsKey(entry.Key)).Select(entry => Judge(entry.Value, after: null)),
            .. second.Where(entry => !first.ContainsKey(entry.Key)).Select(entry => Judge(before: null, entry.Value)),
        ];
        double leastChance = noisy.Length > 0 ? noisy.Min(pair => LeastChanceOf(pair.Before.Samples.Count, pair.After.Samples.Count)) : 0;
        return new Comparison(figures, noisy.Length, leastChance);
    }

    /// <summary>What was left out for a reason has no samples, and counts as not measured.</summary>
    private static Dictionary<object, Observation> ByKey(IReadOnlyList<Observation> observations) => observations
        .Where(observation => observation.Samples.Count > 0)
        .ToDictionary(observation => observation.GetKey());

    private static ComparedFigure Judge(Observation? before, Observation? after, double chance = 1, double threshold = 0)
    {
        double was = before is null ? 0 : Statistics.EstimateMedian(before.Samples).Median;
        double now = after is null ? 0 : Statistics.EstimateMedian(after.Samples).Median;
        Observation any = (after ?? before)!;
        Verdict verdict = before is null ? Verdict.OnlyAfter
            : after is null ? Verdict.OnlyBefore
            : chance > ChanceMax || Math.Abs(now - was) <= threshold * Math.Abs(was) ? Verdict.Same
            : now > was == any.Quantity.IsLargerBetter() ? Verdict.Better : Verdict.Worse;
        return new ComparedFigure(any, was, now, chance, verdict);
    }

    /// <summary>The p-value when every sample of one run is above every one of the other: two of all the ways to arrange them.</summary>
    private static double LeastChanceOf(int before, int after)
    {
        double arrangements = 1;
        for (int i = 1; i <= before; i++)
            arrangements *= (after + i) / (double)i;
        return 2 / arrangements;
    }
}
