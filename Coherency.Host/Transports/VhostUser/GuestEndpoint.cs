using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Host.Faults;
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
    private readonly ILogger _log;
    private readonly VmmSource _source;
    private readonly Action _ended;
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
    public GuestEndpoint(GuestOptions options, FuseSession session, ILogger log)
        : this(options, session, log, new GuestListener(options.SocketPath), static () => { })
    {
    }

    /// <summary>Serves one connection, which is there already, and none after it.</summary>
    /// <param name="session">Taken over.</param>
    /// <param name="connectionFd">A vhost-user front end's; taken over.</param>
    /// <param name="ended">Called when it has ended and is cleaned up, by the endpoint's own thread.</param>
    public GuestEndpoint(GuestOptions options, FuseSession session, ILogger log, int connectionFd, Action ended)
        : this(options, session, log, new GivenConnection(connectionFd), ended)
    {
    }

    private GuestEndpoint(GuestOptions options, FuseSession session, ILogger log, VmmSource source, Action ended)
    {
        _options = options;
        _session = session;
        _log = log;
        Loads = [.. Enumerable.Range(0, 1 + options.RequestQueues).Select(_ => new QueueLoad())];
        _source = source;
        _ended = ended;
        _thread = GuardedThread.Start(options.Name, Run, fault => LogUnexpected(_log, fault, _options.Name));
    }

    public GuestOptions Options => _options;

    public FuseSession Session => _session;

    /// <summary>It serves one connection, which somebody has brought, and listens nowhere.</summary>
    public bool IsGiven => _source is GivenConnection;

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

        _source.Stop();
        _thread.Join();
        _source.Dispose();
        _session.Dispose();
        _isIdle.Dispose();
    }

    private void Run()
    {
        while (_source.TryAccept(out int fd))
        {
            using VhostUserConnection connection = new(fd);
            // Whatever fails, and be it the log, the next VMM is let in.
            GuardedThread.Guard(() => Serve(connection), fault => LogUnexpected(_log, fault, _options.Name));
            End();
        }

        _ended();
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
        if (!TryAdmit(connection))
        {
            return;
        }

        if (_source is GuestListener)
        {
            // Of one that was given nobody here knows whether a VMM is there yet.
            LogConnected(_log, _options.Name);
        }

        try
        {
            using VhostUserBackend backend = new(connection, _options, _session, Loads, _log);
            _backend = backend;
            backend.Run();
        }
        catch (Exception broken) when (broken is VhostUserException or LinuxException)
        {
            LogBroken(_log, _options.Name, broken.Message);
        }
        finally
        {
            _backend = null;
        }

        LogDisconnected(_log, _options.Name);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: VMM connected")]
    private static partial void LogConnected(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Guest}: VMM disconnected, session cleaned up")]
    private static partial void LogDisconnected(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Guest}: the connection failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, string guest);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Guest}: vhost-user connection closed: {Problem}")]
    private static partial void LogBroken(ILogger log, string guest, string problem);
}
