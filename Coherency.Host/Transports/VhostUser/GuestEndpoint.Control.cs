using Coherency.Host.Faults;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

// What an administrator sees and does.
public sealed partial class GuestEndpoint
{
    private readonly LogLimit _refusals = new();

    public GuestEndpointState State
    {
        get
        {
            lock (_connectionLock)
            {
                return (_connection, _isDrained) switch
                {
                    (null, false) => GuestEndpointState.Listening,
                    (null, true) => GuestEndpointState.Drained,
                    (_, false) => GuestEndpointState.Connected,
                    (_, true) => GuestEndpointState.Draining,
                };
            }
        }
    }

    /// <summary>When the present VMM connected; null when there is none.</summary>
    public DateTimeOffset? ConnectedAt
    {
        get
        {
            lock (_connectionLock)
            {
                return _connectedAt;
            }
        }
    }

    /// <summary>Request queues that the guest's driver has started.</summary>
    public int QueuesInUse => _backend?.QueuesInUse ?? 0;

    /// <summary>Ends the connection of the present VMM at once, which may connect again.</summary>
    /// <returns>There was one.</returns>
    public bool Disconnect()
    {
        lock (_connectionLock)
        {
            _connection?.Shutdown();
            return _connection is not null;
        }
    }

    /// <summary>
    /// Takes no more requests, answers those under way, then ends the connection; no VMM gets in until <see cref="Resume"/>.
    /// Returns when that is done, or with an exception while it still goes on. Again is harmless.
    /// </summary>
    /// <returns>Requests that came to be answered meanwhile.</returns>
    /// <exception cref="OperationCanceledException">The caller waits no longer.</exception>
    public long Drain(CancellationToken cancellation)
    {
        long before = _session.Counters.Total;
        lock (_connectionLock)
        {
            _isDrained = true;
            // The VMM sees the end only after the queues have stopped.
            _connection?.StopReceiving();
        }

        LogDraining(_log, _options.Name);
        _isIdle.Wait(cancellation);
        return _session.Counters.Total - before;
    }

    /// <summary>Lets a VMM in again.</summary>
    public void Resume()
    {
        lock (_connectionLock)
        {
            _isDrained = false;
        }

        LogResumed(_log, _options.Name);
    }

    private void LogRefused()
    {
        if (_refusals.Allows(out long unsaid))
        {
            LogTurnedAway(_log, _options.Name, unsaid);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: draining: no more requests are taken")]
    private static partial void LogDraining(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: resumed: a VMM may connect")]
    private static partial void LogResumed(ILogger log, string guest);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Guest}: turned a VMM away, for the guest is drained: coherencyd admin drain --resume lets it in ({Unsaid} more " +
            "since the last line)")]
    private static partial void LogTurnedAway(ILogger log, string guest, long unsaid);
}
