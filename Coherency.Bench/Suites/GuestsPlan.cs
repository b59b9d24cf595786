using Coherency.Bench.Guests;

namespace Coherency.Bench.Suites;

/// <summary>What a suite has guests do.</summary>
/// <param name="Contenders">By name, in the order of the reports.</param>
/// <param name="Files">In the repository; other trees have their share of it.</param>
/// <param name="Rounds">How often each program is run in each state.</param>
/// <param name="Looks">How often each contender is tried for stale answers, for each kind of change and each writer; 0 leaves it out.</param>
internal sealed record GuestsPlan(IReadOnlyList<string> Contenders, IReadOnlyList<GuestWorkload> Workloads, int Files, int Rounds, int Looks)
{
    public const int FilesMin = 300;
    public const int FilesMax = 200_000;

    public static GuestsPlan Nothing { get; } = new([], [], 0, 0, 0);

    /// <summary>Everybody; emulation takes half an hour for it.</summary>
    public static GuestsPlan Everybody(Func<GuestWorkload, bool> choice) =>
        new(GuestContenders.Names, [.. GuestWorkload.All.Where(choice)], Files: 20_000, Rounds: 2, Looks: 5);

    /// <summary>Those that promise to be coherent, and the fastest of the others, on a small tree.</summary>
    public static GuestsPlan Quick { get; } = new(
        ["coherencyd coherent", "virtiofsd-rust auto", "virtiofsd-rust always", "ext4"],
        [GuestWorkload.Find("git-status"), GuestWorkload.Find("find")],
        Files: 2000,
        Rounds: 1,
        Looks: 2);
}
