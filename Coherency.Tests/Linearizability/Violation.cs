using System.Text;

namespace Coherency.Tests.Linearizability;

/// <summary>Steps on one object that no order explains.</summary>
/// <param name="Before">The last writes that had returned before, which led to the state.</param>
/// <param name="Known">The only state that was possible then.</param>
/// <param name="Last">The one that returned with a result that fits nowhere; one of <paramref name="Steps"/>.</param>
internal sealed record Violation(IReadOnlyList<Step> Before, ObjectState Known, IReadOnlyList<Step> Steps, Step Last)
{
    public override string ToString()
    {
        StringBuilder text = new();
        text.AppendLine($"{Last.Object.Name}");
        AppendSteps(text, Before);
        text.AppendLine($"   was now {Known.First:x} {Known.Second:x}, and no order explains:");
        AppendSteps(text, Steps);
        return text.ToString();
    }

    private void AppendSteps(StringBuilder text, IEnumerable<Step> steps)
    {
        foreach (Step step in steps)
        {
            text.AppendLine($"{(ReferenceEquals(step, Last) ? "->" : "  ")} {step}");
        }
    }
}
