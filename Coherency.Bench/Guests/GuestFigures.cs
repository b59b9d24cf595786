using Coherency.Bench.Results;

namespace Coherency.Bench.Guests;

/// <summary>Gathers the samples of several rounds to one <see cref="Observation"/> for each figure.</summary>
internal sealed class GuestFigures
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
        [.. figure.Value.Samples],
        figure.Value.Remarks.Count > 0 ? string.Join("; ", figure.Value.Remarks.Distinct()) : null));

    public void Add(Key key, double sample, string? remark = null)
    {
        (List<double> samples, List<string> remarks) = Find(key);
        samples.Add(sample);
        if (remark is not null)
            remarks.Add(remark);
    }

    /// <summary>Says why there is no sample.</summary>
    public void AddRemark(Key key, string remark) => Find(key).Remarks.Add(remark);

    private (List<double> Samples, List<string> Remarks) Find(Key key)
    {
        if (!_figures.TryGetValue(key, out (List<double> Samples, List<string> Remarks) figure))
            _figures[key] = figure = ([], []);
        return figure;
    }

    /// <summary>What a figure is of.</summary>
    internal sealed record Key(GuestWorkload Workload, string Title, Conditions Conditions, string Contender, Quantity Quantity);
}
