using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Daemon.Admin.Services;

/// <summary>
/// Tells the entries that have become stale since the last look from those that were told already. It remembers those of the
/// last looks only: what went stale long ago is not new.
/// </summary>
internal sealed class StaleFollower(StaleFilter filter, IReadOnlyList<ChangeLog> logs)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>A change is written down with its time a moment before it can be found.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(5);

    private readonly Dictionary<(string Guest, HeldKind Kind, ulong NodeId, string? Path, ulong VersionGiven), DateTime> _told = [];
    private DateTime _newSince = DateTime.MinValue;
    private long _seen = -1;

    public bool IsNew(StaleEntry entry) =>
        entry.Since >= _newSince && _told.TryAdd((entry.Guest, entry.Kind, entry.NodeId, entry.Path, entry.VersionGiven), entry.Since);

    /// <summary>Until something has changed, or something that is stale has become old enough to be told.</summary>
    public async Task WaitForMoreAsync(CancellationToken cancellation)
    {
        _newSince = DateTime.UtcNow - filter.MinimumAge - Slack;
        foreach (var told in _told.Where(told => told.Value < _newSince).Select(told => told.Key).ToArray())
        {
            _told.Remove(told);
        }

        long seen;
        do
        {
            await Task.Delay(Pause, cancellation).ConfigureAwait(false);
            seen = logs.Sum(log => log.Next);
        }
        while (seen == _seen && filter.MinimumAge == TimeSpan.Zero);
        _seen = seen;
    }
}
