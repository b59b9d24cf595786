using System.Globalization;
using System.Text.RegularExpressions;

namespace Coherency.Tests.Telemetry;

/// <summary>Numbers of a scrape, found by their name and some of their labels.</summary>
internal sealed partial class MetricsText(string text)
{
    private readonly IReadOnlyList<(string Name, string Labels, double Value)> _samples =
    [
        .. from line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
           where line[0] != '#'
           let match = Sample().Match(line)
           select (
               match.Groups["name"].Value,
               match.Groups["labels"].Value,
               double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture)),
    ];

    public IEnumerable<string> Names => _samples.Select(sample => sample.Name).Distinct();

    /// <summary>The sum of what has all these labels, written <c>name="value"</c>.</summary>
    public double Sum(string name, params string[] labels) => Find(name, labels).Sum(sample => sample.Value);

    public bool Has(string name, params string[] labels) => Find(name, labels).Any();

    private IEnumerable<(string Name, string Labels, double Value)> Find(string name, string[] labels) =>
        _samples.Where(sample => sample.Name == name && labels.All(label => sample.Labels.Contains(label, StringComparison.Ordinal)));

    [GeneratedRegex("""^(?<name>[a-zA-Z_][a-zA-Z0-9_]*)(\{(?<labels>.*)\})? (?<value>\S+)$""")]
    private static partial Regex Sample();
}
