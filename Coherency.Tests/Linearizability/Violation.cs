using System.Text;

namespace Coherency.Tests.Linearizability;

/// <summary>Steps on one object that no order explains.</summary>
/// <param name="Known">The only possible state before the first of them.</param>
/// <param name="Last">The one that returned with a result that fits nowhere; one of <paramref name="Steps"/>.</param>
internal sealed record Violation(ObjectState Known, IReadOnlyList<Step> Steps, Step Last)
{
    public override string ToString()
    {
        StringBuilder text = new();
        text.AppendLine($"{Last.Object.Name} was {Known.First:x} {Known.Second:x}; no order explains:");
        foreach (Step step in Steps)
        {
            text.AppendLine($"{(step == Last ? "->" : "  ")} {step}");
        }

        return text.ToString();
    }
}
