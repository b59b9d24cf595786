using Coherency.Daemon.Configuration;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Every share of a configuration, open, and an endpoint for each of its guests, listening.</summary>
public sealed partial class GuestServer : IDisposable
{
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly LockWaitQueue _lockWaits = new();
    private readonly List<PassthroughShare> _shares = [];
    private readonly List<GuestEndpoint> _endpoints = [];

    /// <exception cref="IOException">A share or a socket cannot be used; nothing is left open.</exception>
    public GuestServer(ServeConfiguration configuration, ILoggerFactory loggers)
    {
        _loggers = loggers;
        _log = loggers.CreateLogger("coherencyd");
        DescriptorBudget.Process.Exhausted += ReportExhausted;
        try
        {
            foreach (ShareConfiguration share in configuration.Shares)
            {
                Open(share);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IReadOnlyList<GuestEndpoint> Endpoints => _endpoints;

    public IReadOnlyList<PassthroughShare> Shares => _shares;

    public void Dispose()
    {
        foreach (GuestEndpoint endpoint in _endpoints)
        {
            endpoint.Dispose();
        }

        foreach (PassthroughShare share in _shares)
        {
            share.Dispose();
        }

        _lockWaits.Dispose();
        DescriptorBudget.Process.Exhausted -= ReportExhausted;
    }

    private void ReportExhausted(string message) => LogExhausted(_log, message);

    private void Open(ShareConfiguration configuration)
    {
        PassthroughShare share = new(configuration.ToPassthroughOptions());
        _shares.Add(share);
        foreach (GuestConfiguration guest in configuration.Guests)
        {
            ILogger log = _loggers.CreateLogger($"coherencyd.{guest.Name}");
            FuseSession session = new(OpenFileSystem, configuration.ToSessionOptions(guest.Cache), _lockWaits, log);
            _endpoints.Add(new GuestEndpoint(ToGuestOptions(configuration, guest), session, _lockWaits, log));

            IFileSystem OpenFileSystem() => ShareAccess.Open(share, guest.Readonly ?? configuration.Readonly);
        }
    }

    private static GuestOptions ToGuestOptions(ShareConfiguration share, GuestConfiguration guest) => new()
    {
        Name = guest.Name,
        SocketPath = guest.Socket,
        Tag = ConfigurationFile.TagOf(share, guest),
        RequestQueues = guest.NumRequestQueues ?? share.NumRequestQueues,
        Queue = new QueueOptions(guest.PollUs ?? share.PollUs, guest.ThreadPoolSize ?? share.ThreadPoolSize),
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void LogExhausted(ILogger log, string message);
}
