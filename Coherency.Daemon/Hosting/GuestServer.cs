using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
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
    private readonly CoherentShares _coherent = new();

    /// <exception cref="IOException">A share or a socket cannot be used; nothing is left open.</exception>
    public GuestServer(ServeConfiguration configuration, ILoggerFactory loggers)
    {
        _loggers = loggers;
        _log = loggers.CreateLogger("coherencyd");
        DescriptorBudget.Process.Exhausted += ReportExhausted;
        try
        {
            ShareGroup[] groups = CoherentShares.GroupOverlapping([.. configuration.Shares.Select(share => share.SharedDir)]);
            for (int i = 0; i < groups.Length; i++)
            {
                Open(configuration.Shares[i], groups[i]);
            }

            _coherent.Start();
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

        _coherent.Dispose();
        foreach (PassthroughShare share in _shares)
        {
            share.Dispose();
        }

        _lockWaits.Dispose();
        DescriptorBudget.Process.Exhausted -= ReportExhausted;
    }

    private void ReportExhausted(string message) => LogExhausted(_log, message);

    private void Open(ShareConfiguration configuration, ShareGroup group)
    {
        PassthroughShare share = new(configuration.ToPassthroughOptions(), group);
        _shares.Add(share);
        foreach (GuestConfiguration guest in configuration.Guests)
        {
            ILogger log = _loggers.CreateLogger($"coherencyd.{guest.Name}");
            TableView? view = _coherent.OpenView(share, configuration, guest);
            FuseSession session = new(OpenFileSystem, configuration.ToSessionOptions(guest.Cache), _lockWaits, log, view);
            _endpoints.Add(new GuestEndpoint(ToGuestOptions(configuration, guest, view), session, _lockWaits, log));

            IFileSystem OpenFileSystem() => ShareAccess.Open(share, guest.Readonly ?? configuration.Readonly, view);
        }
    }

    private static GuestOptions ToGuestOptions(ShareConfiguration share, GuestConfiguration guest, TableView? view) => new()
    {
        Name = guest.Name,
        SocketPath = guest.Socket,
        Tag = ConfigurationFile.TagOf(share, guest),
        RequestQueues = guest.NumRequestQueues ?? share.NumRequestQueues,
        Table = view?.Table,
        DaxWindowBytes = view is null || share.DaxWindowMib == 0 ? 0 : ((long)share.DaxWindowMib << 20) - view.Table.MemoryBytes,
        Queue = new QueueOptions(guest.PollUs ?? share.PollUs, guest.ThreadPoolSize ?? share.ThreadPoolSize),
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void LogExhausted(ILogger log, string message);
}
