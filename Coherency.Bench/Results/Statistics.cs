using Perfolizer;
using Perfolizer.Mathematics.Common;
using Perfolizer.Mathematics.QuantileEstimators;
using Perfolizer.Mathematics.SignificanceTesting.Base;
using Perfolizer.Mathematics.SignificanceTesting.MannWhitney;
using Perfolizer.Metrology;

namespace Coherency.Bench.Results;

/// <summary>The median of a list of samples, and where the true one lies with 95 % confidence, in the samples' unit.</summary>
/// <param name="Low">Equal to the median, as <paramref name="High"/> is, where the samples are too few to tell.</param>
/// <param name="Samples">How many there were.</param>
public readonly record struct MedianEstimate(double Median, double Low, double High, int Samples)
{
    /// <summary>Are there enough samples for an interval?</summary>
    public bool HasInterval => Samples >= Statistics.IntervalSamplesMin;
}

/// <summary>The one place where samples become statements.</summary>
public static class Statistics
{
    /// <summary>Of two samples the interval would be many times wider than what lies between them.</summary>
    public const int IntervalSamplesMin = 3;

    /// <summary>
    /// The middle sample (or the mean of the two), and the interval by Maritz and Jarrett's standard error of the median.
    /// </summary>
    /// <exception cref="ArgumentException">There are no samples.</exception>
    public static MedianEstimate EstimateMedian(IReadOnlyList<double> samples)
    {
        if (samples.Count == 0)
            throw new ArgumentException("no samples: nothing was measured", nameof(samples));
        Sample sample = ToSample(samples);
        double median = SimpleQuantileEstimator.Instance.Median(sample);
        if (samples.Count < IntervalSamplesMin)
            return new MedianEstimate(median, median, median, samples.Count);
        ConfidenceInterval interval = HarrellDavisQuantileEstimator.Instance
            .QuantileConfidenceIntervalEstimator(sample, Probability.Half)
            .ConfidenceInterval(ConfidenceLevel.L95);
        return new MedianEstimate(median, Math.Min(interval.Lower, median), Math.Max(interval.Upper, median), samples.Count);
    }

    /// <summary>
    /// How likely samples that differ at least so much are, in either direction, if nothing changed: the two-sided p-value of
    /// the Mann-Whitney U test, which assumes no distribution.
    /// </summary>
    public static double DifferenceByChance(IReadOnlyList<double> before, IReadOnlyList<double> after)
    {
        Sample x = ToSample(before);
        Sample y = ToSample(after);
        double less = MannWhitneyTest.Instance.GetPValue(x, y, AlternativeHypothesis.Less, Threshold.Zero);
        double greater = MannWhitneyTest.Instance.GetPValue(x, y, AlternativeHypothesis.Greater, Threshold.Zero);
        return Math.Min(1, 2 * Math.Min(less, greater));
    }

    /// <summary>
    /// The p-values adjusted by Benjamini and Hochberg, in the same order: those up to 0.05 are such that at most one in twenty
    /// of them is expected to be there by chance, however many comparisons were made.
    /// </summary>
    public static double[] AdjustForMany(IReadOnlyList<double> pValues)
    {
        int count = pValues.Count;
        int[] descending = [.. Enumerable.Range(0, count).OrderByDescending(i => pValues[i])];
        double[] adjusted = new double[count];
        double smallest = 1;
        for (int i = 0; i < count; i++)
        {
            int rank = count - i;
            smallest = Math.Min(smallest, pValues[descending[i]] * count / rank);
            adjusted[descending[i]] = smallest;
        }

        return adjusted;
    }

    private static Sample ToSample(IReadOnlyList<double> values) => new([.. values]);
}
