using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// One guest's way in: listens on its socket, serves one VMM at a time, cleans up when it goes, and listens again. Guests know
/// nothing of each other.
/// </summary>
public sealed partial class GuestEndpoint : IDisposable
{
    private readonly GuestOptions _options;
    private readonly FuseSession _session;
    private readonly LockWaitQueue _lockWaits;
    private readonly ILogger _log;
    private readonly GuestListener _listener;
    private readonly Lock _connectionLock = new();
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _isIdle = new(initialState: true);
    private VhostUserConnection? _connection;
    private volatile VhostUserBackend? _backend;
    private DateTimeOffset? _connectedAt;
    private bool _stopping;
    private bool _isDrained;

    /// <summary>Listens from here on.</summary>
    /// <param name="session">Taken over.</param>
    /// <exception cref="SocketPathException">The socket's path cannot be used.</exception>
    public GuestEndpoint(GuestOptions options, FuseSession session, LockWaitQueue lockWaits, ILogger log)
    {
        _options = options;
        _session = session;
        _lockWaits = lockWaits;
        _log = log;
        Loads = [.. Enumerable.Range(0, 1 + options.RequestQueues).Select(_ => new QueueLoad())];
        _listener = new GuestListener(options.SocketPath);
        _thread = new Thread(Run) { Name = options.Name, IsBackground = true };
        _thread.Start();
    }

    public GuestOptions Options => _options;

    public FuseSession Session => _session;

    /// <summary>What each queue has to do now; the first is that of high priority.</summary>
    public IReadOnlyList<QueueLoad> Loads { get; }

    /// <summary>Ends the present VMM's session, if there is one, and stops listening.</summary>
    public void Dispose()
    {
        lock (_connectionLock)
        {
            _stopping = true;
            _connection?.Shutdown();
        }

        _listener.Stop();
        _thread.Join();
        _listener.Dispose();
        _session.Dispose();
        _isIdle.Dispose();
    }

    private void Run()
    {
        while (_listener.TryAccept(out int fd))
        {
            using VhostUserConnection connection = new(fd);
            if (TryAdmit(connection))
            {
                Serve(connection);
                End();
            }
        }
    }

    private bool TryAdmit(VhostUserConnection connection)
    {
        lock (_connectionLock)
        {
            if (_stopping)
            {
                return false;
            }

            if (_isDrained)
            {
                LogRefused();
                return false;
            }

            _connection = connection;
            _connectedAt = DateTimeOffset.UtcNow;
            _isIdle.Reset();
            return true;
        }
    }

    private void End()
    {
        lock (_connectionLock)
        {
            _connection = null;
            _connectedAt = null;
            _isIdle.Set();
        }
    }

    private void Serve(VhostUserConnection connection)
    {
        LogConnected(_log, _options.Name);
        try
        {
            using VhostUserBackend backend = new(connection, _options, _session, _lockWaits, Loads, _log);
            _backend = backend;
            backend.Run();
        }
        catch (Exception broken) when (broken is VhostUserException or LinuxException)
        {
            LogBroken(_log, _options.Name, broken.Message);
        }
        catch (Exception unexpected)
        {
            // A fault in serving one VMM must not end the guests of the others.
            LogUnexpected(_log, unexpected, _options.Name);
        }
        finally
        {
            _backend = null;
        }

        LogDisconnected(_log, _options.Name);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: VMM connected")]
    private static partial void LogConnected(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: VMM disconnected, session cleaned up; listening again")]
    private static partial void LogDisconnected(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Guest}: the connection failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, string guest);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Guest}: vhost-user connection closed: {Problem}")]
    private static partial void LogBroken(ILogger log, string guest, string problem);
}
