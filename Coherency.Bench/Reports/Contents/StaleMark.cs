using Coherency.Bench.Results;

namespace Coherency.Bench.Reports.Contents;

/// <summary>What stands beside a contender's time, so that nobody takes a fast wrong answer for a win.</summary>
internal static class StaleMark
{
    /// <summary>Such as "stale in 3 of 400 looks (another guest)"; null when no look was stale.</summary>
    public static string? Of(Findings findings, string contender)
    {
        StalenessResult[] stale = [.. findings.StalenessOf(contender).Where(result => result.Stale > 0)];
        return stale.Length == 0
            ? null
            : string.Join("; ", stale.Select(result =>
                $"stale in {Readable.Count(result.Stale)} of {Readable.Count(result.Looks)} looks ({result.Writer})"));
    }
}
