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
    /// <summary>A bar that every one of some figures must reach; not measured when there is none.</summary>
    /// <param name="score">Of a figure: the least of them decides.</param>
    /// <param name="least">The score to reach.</param>
    /// <param name="missing">What to say when there is none.</param>
    public static Goal Judge<T>(
        string wanted, string subject, IEnumerable<T> figures, Func<T, double> score, double least, Func<T, string> write,
        string missing) =>
        figures.OrderBy(score).Take(1).Select(worst =>
            new Goal(wanted, subject, score(worst) >= least ? GoalState.Met : GoalState.Missed, write(worst)))
        .FirstOrDefault(new Goal(wanted, subject, GoalState.NotMeasured, missing));
}

/// <summary>How many times better ours is than a peer in one situation, by one quantity.</summary>
/// <param name="Ratio">0 when the program went wrong with ours: then it does not matter how fast.</param>
/// <param name="Rounds">Samples of ours: one alone shows little.</param>
internal sealed record PeerRatio(Situation Situation, Quantity Quantity, string Peer, double Ratio, int Rounds)
{
    public string Text => Ratio == 0
        ? $"the program went wrong{Where}"
        : $"{Readable.Name(Quantity)}: {Readable.Ratio(Ratio)} times as good as {Peer}{Where}{(Rounds == 1 ? ", in one round" : "")}";

    private string Where =>
        Readable.Conditions(Situation.Level, Situation.Conditions) is { Length: > 0 } conditions ? $" ({conditions})" : "";

    /// <summary>With the best of some peers; null when ours or all of them were not measured.</summary>
    public static PeerRatio? WithBest(Findings findings, Situation situation, Quantity quantity, string? ours, Func<string, bool> isPeer) =>
        ours is not null
        && findings.FindBest(situation, quantity, isPeer) is { } peer
        && findings.Ratio(situation, quantity, ours, peer) is { } ratio
            ? new(
                situation,
                quantity,
                peer,
                findings.IsWrong(situation, ours) ? 0 : ratio,
                findings.Find(situation, ours, quantity)!.Value.Samples)
            : null;
}
