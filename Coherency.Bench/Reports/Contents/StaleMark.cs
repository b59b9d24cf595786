namespace Coherency.Bench.Reports.Contents;

/// <summary>What stands beside a contender's time, so that nobody takes a fast wrong answer for a win.</summary>
internal static class StaleMark
{
    /// <summary>Such as "stale in 3 of 800 looks", whoever made the changes; null when no look was stale.</summary>
    public static string? Of(Findings findings, string contender)
    {
        int stale = findings.StalenessOf(contender).Sum(result => result.Stale);
        int looks = findings.StalenessOf(contender).Sum(result => result.Looks);
        return stale == 0 ? null : $"stale in {Readable.Count(stale)} of {Readable.Count(looks)} looks";
    }
}
