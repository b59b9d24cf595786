using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Grpc.Core;

namespace Coherency.Daemon.Admin.Services;

/// <summary>
/// Tells the entries that have become stale since the last look from those that were told already. It remembers those of the
/// last looks only: what went stale long ago is not new.
/// </summary>
internal sealed class StaleFollower
{
    /// <summary>Entries that are remembered for one follower.</summary>
    public const int ToldMax = 200_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>A change is written down with its time a moment before it can be found.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(5);

    private readonly StaleFilter _filter;
    private readonly IReadOnlyList<ChangeLog> _logs;
    private readonly Dictionary<(string Guest, HeldKind Kind, ulong NodeId, string? Path, ulong VersionGiven), DateTime> _told = [];
    private DateTime _newSince = DateTime.MinValue;
    private DateTime _newSinceNext;
    private long _seen;
    private bool _isSettled;

    /// <summary>A first look begins.</summary>
    public StaleFollower(StaleFilter filter, IReadOnlyList<ChangeLog> logs)
    {
        _filter = filter;
        _logs = logs;
        _seen = CountChanges();
        _newSinceNext = DateTime.UtcNow - filter.MinimumAge - Slack;
    }

    /// <exception cref="RpcException">More becomes stale than can be remembered.</exception>
    public bool IsNew(StaleEntry entry)
    {
        var key = (entry.Guest, entry.Kind, entry.NodeId, entry.Path, entry.VersionGiven);
        if (entry.Since < _newSince || _told.ContainsKey(key))
        {
            return false;
        }

        // The next look passes over what is older anyhow.
        if (entry.Since >= _newSinceNext)
        {
            if (_told.Count == ToldMax)
            {
                throw new RpcException(new Status(
                    StatusCode.ResourceExhausted, $"more than {ToldMax} entries became stale within seconds: follow one guest, or one " +
                        "directory"));
            }

            _told.Add(key, entry.Since);
        }

        return true;
    }

    /// <summary>
    /// Until something has changed, or something that is stale has become old enough to be told; then the next look begins.
    /// There is one more after the last change: it is written down before its slots move, so that a look may come in between.
    /// </summary>
    public async Task WaitForMoreAsync(CancellationToken cancellation)
    {
        bool goesOn;
        do
        {
            await Task.Delay(Pause, cancellation).ConfigureAwait(false);
            long seen = CountChanges();
            bool hasChanged = seen != _seen;
            goesOn = !hasChanged && _isSettled && _filter.MinimumAge == TimeSpan.Zero;
            _isSettled = !hasChanged;
            _seen = seen;
        }
        while (goesOn);
        BeginLook();
    }

    /// <summary>What became stale, or old enough, while the last look went on may have been behind it already.</summary>
    private void BeginLook()
    {
        _newSince = _newSinceNext;
        _newSinceNext = DateTime.UtcNow - _filter.MinimumAge - Slack;
        foreach (var told in _told.Where(told => told.Value < _newSince).Select(told => told.Key).ToArray())
        {
            _told.Remove(told);
        }
    }

    private long CountChanges() => _logs.Sum(log => log.Next);
}
