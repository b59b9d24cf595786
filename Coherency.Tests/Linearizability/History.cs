namespace Coherency.Tests.Linearizability;

/// <summary>Everything that was done, in any order.</summary>
internal sealed class History(IEnumerable<Step> steps)
{
    private readonly ILookup<CheckedObject, Step> _stepsOf = steps.ToLookup(step => step.Object);

    public int Objects => _stepsOf.Count;

    public IReadOnlyList<Violation> FindViolations() =>
        [.. _stepsOf.Select(steps => LinearizabilityChecker.FindViolation(steps.Key.Initial, steps)).OfType<Violation>()];

    /// <summary>
    /// Writes all steps of the violations' objects, in order of their calls; a marked one has a result that fits nowhere.
    /// </summary>
    public void Write(string path, IReadOnlyList<Violation> violations)
    {
        using StreamWriter file = new(path);
        foreach (Violation violation in violations)
        {
            file.WriteLine(violation);
            file.WriteLine("All of it:");
            foreach (Step step in _stepsOf[violation.Last.Object].OrderBy(step => step.Operation.Start))
            {
                file.WriteLine($"{(ReferenceEquals(step, violation.Last) ? "->" : "  ")} {step}");
            }
        }
    }
}
