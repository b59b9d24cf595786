using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>Durations of one kind, which the daemon counts in buckets of its own.</summary>
/// <param name="Name">As OpenTelemetry has it; the unit is the second.</param>
/// <param name="Read">All series as they are now.</param>
internal sealed record DurationMetric(string Name, string Description, Func<IEnumerable<DurationSeries>> Read)
{
    public const string Unit = "s";

    public const double NanosecondsPerSecond = 1e9;
}

/// <summary>Those of one client and operation, say.</summary>
/// <param name="Key">The same each time.</param>
internal readonly record struct DurationSeries(object Key, KeyValuePair<string, object?>[] Tags, DurationTotals Totals);
