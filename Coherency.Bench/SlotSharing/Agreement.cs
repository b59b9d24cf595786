namespace Coherency.Bench.SlotSharing;

/// <summary>Whether rounds of a simulation agree with a formula.</summary>
internal static class Agreement
{
    /// <summary>
    /// Standard errors that the mean of a simulation may lie off: with <see cref="SharingCase.Rounds"/> rounds, a right formula
    /// is that far off in one of 1,000 simulations (Student's t with 19 degrees of freedom).
    /// </summary>
    public const double ErrorsAllowed = 3.88;

    /// <summary>How many standard errors the mean of the rounds lies off.</summary>
    public static double ErrorsOff(IReadOnlyList<double> rounds, double formula)
    {
        double mean = rounds.Average();
        double variance = rounds.Sum(round => (round - mean) * (round - mean)) / (rounds.Count - 1);
        return Math.Abs(mean - formula) / Math.Sqrt(variance / rounds.Count);
    }
}
