using Coherency.Bench.Reports.Contents;

namespace Coherency.Bench.Goals;

/// <summary>All bars of the project, judged by the results alone.</summary>
internal static class GoalList
{
    public static IReadOnlyList<Goal> Judge(Findings findings) =>
        [.. DaemonGoals.Judge(findings), .. InodeGoals.Judge(findings), .. GuestGoals.Judge(findings)];
}
