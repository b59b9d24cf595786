namespace Coherency.Tests.Linearizability;

/// <summary>The definition of linearizability, tried out: for histories of a few steps.</summary>
internal static class EveryOrder
{
    public static bool Explains(ObjectState state, IReadOnlyList<Step> steps) =>
        steps.Count == 0 || steps.Any(first => MayComeFirst(first, steps)
            && first.Transition.TryApply(state, out ObjectState after)
            && Explains(after, [.. steps.Where(step => !ReferenceEquals(step, first))]));

    private static bool MayComeFirst(Step first, IReadOnlyList<Step> steps) =>
        steps.All(other => other.Operation.End >= first.Operation.Start);
}
