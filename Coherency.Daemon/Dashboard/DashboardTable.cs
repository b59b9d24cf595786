namespace Coherency.Daemon.Dashboard;

/// <summary>The version table of one guest.</summary>
public sealed record DashboardTable
{
    public required string Guest { get; init; }

    public required long Slots { get; init; }

    /// <summary>Moves of slots since the table was made.</summary>
    public required long Moves { get; init; }

    public required double MovesPerSecond { get; init; }

    /// <summary>Slots in which a writer is counted.</summary>
    public required long SlotsInChange { get; init; }

    /// <summary>Text, for JavaScript's numbers do not hold it.</summary>
    public required string Epoch { get; init; }

    public required double HeartbeatAgeMs { get; init; }

    public required double HeartbeatBoundMs { get; init; }

    /// <summary>Slots that something the guest holds hashes to.</summary>
    public required long OccupiedSlots { get; init; }

    public required long HeldEntries { get; init; }

    /// <summary>Entries that go stale only because they share a slot with what changed, at the present rate of moves.</summary>
    public required double ExpectedFalseStalePerSecond { get; init; }

    /// <summary>
    /// Versions summed up over runs of slots of equal length: what differs between two calls has moved. Below 2^53, which a
    /// million moves a second reach in 285 years.
    /// </summary>
    public required IReadOnlyList<long> Heat { get; init; }
}
