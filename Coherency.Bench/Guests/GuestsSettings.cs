namespace Coherency.Bench.Guests;

/// <summary>What the guests are to do.</summary>
/// <param name="Contenders">By name, in the order of the reports.</param>
/// <param name="Files">In the repository; other trees have their share of it.</param>
/// <param name="Rounds">How often each program is run in each state.</param>
/// <param name="Looks">How often each contender is tried for stale answers, for each kind of change and each writer.</param>
/// <param name="Coherencyd">The command that starts coherencyd.</param>
internal sealed record GuestsSettings(
    IReadOnlyList<string> Contenders,
    IReadOnlyList<GuestWorkload> Workloads,
    int Files,
    int Rounds,
    int Looks,
    string Coherencyd);
