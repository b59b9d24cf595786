using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.FuseDevice;
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
    private readonly List<FuseDeviceServer> _mounts = [];
    private readonly List<ServedClient> _clients = [];
    private readonly CoherentShares _coherent;

    /// <exception cref="IOException">A share or a socket cannot be used; nothing is left open.</exception>
    public GuestServer(ServeConfiguration configuration, ILoggerFactory loggers)
    {
        _loggers = loggers;
        _log = loggers.CreateLogger("coherencyd");
        _coherent = new CoherentShares(_log);
        DescriptorBudget.Process.Exhausted += ReportExhausted;
        try
        {
            ShareGroup[] groups = CoherentShares.GroupOverlapping([.. configuration.Shares.Select(share => share.SharedDir)]);
            foreach (IEnumerable<ShareConfiguration> sameFiles in configuration.Shares.Zip(groups).GroupBy(pair => pair.Second, pair => pair.First))
            {
                ConfigurationFile.CheckSameFiles([.. sameFiles]);
            }

            for (int i = 0; i < groups.Length; i++)
            {
                Open(configuration.Shares[i], groups[i]);
            }

            _coherent.Start();
            for (int i = 0; i < groups.Length; i++)
            {
                Mount(configuration.Shares[i], _shares[i]);
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

    public IReadOnlyList<FuseDeviceServer> Mounts => _mounts;

    /// <summary>Guests and mounts, of all shares.</summary>
    internal IReadOnlyList<ServedClient> Clients => _clients;

    internal IEnumerable<HostWatcher> Watchers => _coherent.Watchers;

    public void Dispose()
    {
        foreach (GuestEndpoint endpoint in _endpoints)
        {
            endpoint.Dispose();
        }

        foreach (FuseDeviceServer mount in _mounts)
        {
            mount.Dispose();
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
        TableView?[] views = [.. configuration.Guests.Select(guest => _coherent.OpenView(share, configuration, guest))];
        if (views.Any(view => view is not null) || configuration.Mounts.Count > 0)
        {
            _coherent.Watch(share);
        }

        foreach ((GuestConfiguration guest, TableView? view) in configuration.Guests.Zip(views))
        {
            ILogger log = _loggers.CreateLogger($"coherencyd.{guest.Name}");
            FuseSession session = new(OpenFileSystem, configuration.ToSessionOptions(guest.Cache), _lockWaits, log, view);
            GuestEndpoint endpoint = new(ToGuestOptions(configuration, guest, view), session, _lockWaits, log);
            _endpoints.Add(endpoint);
            _clients.Add(new ServedClient(guest.Name, configuration.SharedDir, session, endpoint.Loads, view));

            IFileSystem OpenFileSystem() => ShareAccess.Open(share, guest.Readonly ?? configuration.Readonly, view);
        }
    }

    private void Mount(ShareConfiguration configuration, PassthroughShare share)
    {
        foreach (string mountPoint in configuration.Mounts)
        {
            ILogger log = _loggers.CreateLogger($"coherencyd.mount.{Path.GetFileName(mountPoint)}");
            MountView view = new(share.Group, share.RootKey);
            FuseSession session = new(OpenFileSystem, MountView.Configure(configuration.ToSessionOptions()), _lockWaits, log);
            _mounts.Add(HostMount.Start(configuration.SharedDir, mountPoint, session, Math.Max(2, Environment.ProcessorCount), log, view));
            _clients.Add(new ServedClient($"mount:{mountPoint}", configuration.SharedDir, session, [], null));

            IFileSystem OpenFileSystem()
            {
                PassthroughFileSystem files = share.OpenSession(view);
                view.Use(files);
                return ShareAccess.Restrict(files, configuration.Readonly);
            }
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
