namespace Coherency.Bench.Results;

/// <summary>Everything that a run found, with what is needed to repeat it: what the JSON file holds and every report is made of.</summary>
/// <param name="Schema">Of the file; <see cref="CurrentSchema"/>.</param>
/// <param name="Suite">What was run, by its name on the command line.</param>
/// <param name="Command">This program's own command line.</param>
/// <param name="Contenders">Who was measured, in the order of the reports; ours first.</param>
public sealed record BenchResults(
    int Schema,
    string Suite,
    string Command,
    MachineInfo Machine,
    IReadOnlyList<ContenderDescription> Contenders,
    IReadOnlyList<Observation> Observations,
    IReadOnlyList<StalenessResult> Staleness)
{
    public const int CurrentSchema = 1;
}

/// <summary>A contender as it was measured.</summary>
/// <param name="Name">Such as <c>coherencyd coherent</c> or <c>virtiofsd-rust auto</c>.</param>
/// <param name="Version">What it says of itself, or the package's version.</param>
/// <param name="Commands">What was started on the host and what mounted it in the guest, as they were run.</param>
public sealed record ContenderDescription(string Name, string Version, IReadOnlyList<string> Commands);

/// <summary>How often a contender's guest was answered from a cache that was no longer true, when it looked at once after a change.</summary>
/// <param name="Looks">Changes that were looked at.</param>
/// <param name="Stale">Looks that saw the state from before the change.</param>
/// <param name="Writer">Who made the changes, such as <c>another guest</c> or <c>the host</c>.</param>
public sealed record StalenessResult(string Contender, string Writer, int Looks, int Stale);
