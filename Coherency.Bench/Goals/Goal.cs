namespace Coherency.Bench.Goals;

internal enum GoalState
{
    Met,
    Missed,

    /// <summary>A figure is missing that would tell.</summary>
    NotMeasured,
}

/// <summary>One of the project's bars, and whether these results reach it.</summary>
/// <param name="Wanted">The bar.</param>
/// <param name="Subject">What of it this line is about, such as one operation.</param>
/// <param name="Found">The figure that decides: where several must reach the bar, the worst.</param>
internal sealed record Goal(string Wanted, string Subject, GoalState State, string Found)
{
    public static Goal NotMeasured(string wanted, string subject, string missing) => new(wanted, subject, GoalState.NotMeasured, missing);

    public static Goal Judged(string wanted, string subject, bool isMet, string found) =>
        new(wanted, subject, isMet ? GoalState.Met : GoalState.Missed, found);
}
