namespace Coherency.Bench.Guests;

/// <summary>A small project in C, whose sources share headers.</summary>
internal static class BuildWorkloads
{
    public static IReadOnlyList<GuestWorkload> All { get; } =
    [
        new("make-nothing", _ => "make with nothing to do", _ => "make -C project", _ => "1")
        {
            Prepare = "make -s -C project",
            Verify = "grep -c 'Nothing to be done' /run/output",
            IsMeasuredBesideOthers = true,
        },
        new("make", _ => "make of 13 sources", _ => "make -s -C project", _ => $"{TestTree.ProjectResult}")
        {
            Prepare = "make -s -C project clean",
            Verify = "project/program",
            IsRepeatable = false,
        },
    ];
}
