namespace Coherency.Daemon.Dashboard;

/// <summary>Requests per second of one guest, the newest last; null where the guest was not known.</summary>
public sealed record DashboardRateSeries(string Name, IReadOnlyList<double?> Rates);

/// <summary>The answer of <c>/api/rates</c>.</summary>
/// <param name="Sequence">Number of the newest sample; the next question names it, and gets only what came after.</param>
/// <param name="Samples">Most samples that are kept.</param>
public sealed record DashboardRates(long Sequence, double IntervalSeconds, int Samples, IReadOnlyList<DashboardRateSeries> Guests);
