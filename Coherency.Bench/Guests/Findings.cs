using Coherency.Bench.Results;

namespace Coherency.Bench.Guests;

/// <summary>Gathers the samples of several rounds to one <see cref="Observation"/> for each figure.</summary>
internal sealed class Findings
{
    private readonly Dictionary<Key, (List<double> Samples, List<string> Remarks)> _figures = [];

    /// <summary>In the order in which they were first added.</summary>
    public IEnumerable<Observation> Observations => _figures.Select(figure => new Observation(
        BenchLevel.Guests,
        figure.Key.Workload.Name,
        figure.Key.Title,
        figure.Key.Conditions,
        figure.Key.Contender,
        figure.Key.Quantity,
        figure.Value.Samples,
        figure.Value.Remarks.Count > 0 ? string.Join("; ", figure.Value.Remarks.Distinct()) : null));

    public void Add(Key key, double sample, string? remark = null)
    {
        if (!_figures.TryGetValue(key, out (List<double> Samples, List<string> Remarks) figure))
            _figures[key] = figure = ([], []);
        figure.Samples.Add(sample);
        if (remark is not null)
            figure.Remarks.Add(remark);
    }

    /// <summary>What a figure is of.</summary>
    internal sealed record Key(GuestWorkload Workload, string Title, Conditions Conditions, string Contender, Quantity Quantity);
}
