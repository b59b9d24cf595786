namespace Coherency.Daemon.Telemetry;

/// <summary>What guests hold, for metrics.</summary>
internal interface IHeldEntryCounts
{
    /// <summary>Entries that a guest may hold, and those of them that are no longer true. Called at each collection.</summary>
    (long Held, long Stale) CountOf(string guest);
}
