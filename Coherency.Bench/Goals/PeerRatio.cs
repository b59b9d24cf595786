using Coherency.Bench.Reports.Contents;
using Coherency.Bench.Results;

namespace Coherency.Bench.Goals;

/// <summary>How many times better ours is than a peer in one situation, by one quantity.</summary>
/// <param name="Ratio">0 when the program went wrong with ours: then it does not matter how fast.</param>
/// <param name="Rounds">Samples of ours: one alone shows little.</param>
internal sealed record PeerRatio(Situation Situation, Quantity Quantity, string Ours, string Peer, double Ratio, int Rounds)
{
    public string Text => Ratio == 0
        ? $"the program went wrong{(Where.Length > 0 ? $" ({Where})" : "")}"
        : $"{Readable.Name(Quantity)}: {Readable.Ratio(Ratio)} times as good as {Peer}{(Where.Length > 0 ? $" ({Where})" : "")}{(Rounds == 1 ? ", in one round" : "")}";

    private string Where => Readable.Conditions(Situation.Level, Situation.Conditions);

    /// <summary>With the best of some peers; null when ours or all of them were not measured.</summary>
    public static PeerRatio? WithBest(Findings findings, Situation situation, Quantity quantity, string ours, Func<string, bool> isPeer) =>
        findings.FindBest(situation, quantity, isPeer) is { } peer && findings.Ratio(situation, quantity, ours, peer) is { } ratio
            ? new PeerRatio(situation, quantity, ours, peer, findings.IsWrong(situation, ours) ? 0 : ratio, findings.Find(situation, ours, quantity)!.Value.Samples)
            : null;

    /// <summary>A bar that every one of some comparisons must reach.</summary>
    /// <param name="least">The ratio to reach.</param>
    /// <param name="missing">What to say when there is none.</param>
    public static Goal Judge(string wanted, string subject, double least, IEnumerable<PeerRatio?> comparisons, string missing) =>
        comparisons.OfType<PeerRatio>().MinBy(comparison => comparison.Ratio) is { } worst
            ? Goal.Judged(wanted, subject, worst.Ratio >= least, worst.Text)
            : Goal.NotMeasured(wanted, subject, missing);
}
