namespace Coherency.Bench.Guests;

/// <summary>A program that is run in a guest, in the shared directory. All commands are the shell's.</summary>
/// <param name="Name">On the command line.</param>
/// <param name="Title">For people.</param>
/// <param name="Run">What is measured. What it prints is in /run/output afterwards.</param>
/// <param name="Expected">What <see cref="Verify"/> must print.</param>
internal sealed record GuestWorkload(string Name, Func<TestTree, string> Title, Func<TestTree, string> Run, Func<TestTree, string> Expected)
{
    /// <summary>Makes the state that the program needs; not measured.</summary>
    public string Prepare { get; init; } = "";

    /// <summary>Prints what shows that the program did its work; not measured.</summary>
    public string Verify { get; init; } = "cat /run/output";

    /// <summary>The program leaves what it found, so that it can run again at once.</summary>
    public bool IsRepeatable { get; init; } = true;

    /// <summary>Its result does not change when a second guest works elsewhere in the tree, so that it is measured like that too.</summary>
    public bool IsMeasuredBesideOthers { get; init; }

    /// <summary>It is about file content rather than names.</summary>
    public bool IsForData { get; init; }

    /// <summary>In the order in which they are run: the cheap ones first.</summary>
    public static IReadOnlyList<GuestWorkload> All { get; } =
        [.. GitWorkloads.Cheap, .. TreeWorkloads.Cheap, .. BuildWorkloads.All, .. FileWorkloads.All, .. TreeWorkloads.Dear, .. GitWorkloads.Dear];

    public static string Names { get; } = string.Join(", ", All.Select(workload => workload.Name));

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static GuestWorkload Find(string name) =>
        All.FirstOrDefault(workload => workload.Name == name) ?? throw new ArgumentException($"--workloads: there is no {name}; there are {Names}");
}
