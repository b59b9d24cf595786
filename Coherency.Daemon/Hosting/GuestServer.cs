using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Holdings;
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
    private readonly List<ServedShare> _servedShares = [];
    private readonly List<ServedGuest> _guests = [];
    private readonly CoherentShares _coherent;
    private readonly bool _recordsHoldings;

    /// <exception cref="IOException">A share or a socket cannot be used; nothing is left open.</exception>
    public GuestServer(ServeConfiguration configuration, ILoggerFactory loggers)
    {
        _loggers = loggers;
        _log = loggers.CreateLogger("coherencyd");
        _coherent = new CoherentShares(_log);
        _recordsHoldings = configuration.Admin is { Enabled: true, Holdings: true };
        DescriptorBudget.Process.Exhausted += ReportExhausted;
        try
        {
            ShareGroup[] groups = CoherentShares.GroupOverlapping([.. configuration.Shares.Select(share => share.SharedDir)], _recordsHoldings);
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
                Mount(_servedShares[i]);
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

    /// <summary>The shares with what their configuration said, in its order.</summary>
    public IReadOnlyList<ServedShare> ServedShares => _servedShares;

    /// <summary>All guests, then all mounts.</summary>
    public IReadOnlyList<ServedGuest> Guests => _guests;

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
        if (_recordsHoldings || views.Any(view => view is not null) || configuration.Mounts.Count > 0)
        {
            _coherent.Watch(share);
        }

        ServedShare served = new(configuration, share, _coherent.WatcherOf(share));
        _servedShares.Add(served);
        foreach ((GuestConfiguration guest, TableView? view) in configuration.Guests.Zip(views))
        {
            Listen(served, guest, view);
        }
    }

    private void Listen(ServedShare share, GuestConfiguration configuration, TableView? view)
    {
        ILogger log = _loggers.CreateLogger($"coherencyd.{configuration.Name}");
        CacheMode cache = ConfigurationFile.CacheOf(share.Configuration, configuration);
        ServedGuest? guest = null;
        HeldEntries? held = Record(share, configuration, view);
        FuseSession session = new(OpenFileSystem, share.Configuration.ToSessionOptions(configuration.Cache), _lockWaits, log, view, held);
        guest = new ServedGuest(configuration.Name, configuration.Socket, cache, share, session, view);
        guest.Endpoint = new GuestEndpoint(ToGuestOptions(share.Configuration, configuration, view), session, _lockWaits, log);
        _endpoints.Add(guest.Endpoint);
        _guests.Add(guest);

        IFileSystem OpenFileSystem()
        {
            PassthroughFileSystem files = share.Share.OpenSession(view ?? held?.View);
            guest!.Use(files);
            return ShareAccess.Restrict(files, configuration.Readonly ?? share.Configuration.Readonly);
        }
    }

    /// <summary>What a guest will be given; null when that is not recorded.</summary>
    private HeldEntries? Record(ServedShare share, GuestConfiguration guest, TableView? view) => _recordsHoldings
        ? new HeldEntries(view ?? _coherent.OpenPrivateView(share.Share, share.Configuration, guest))
        : null;

    private void Mount(ServedShare served)
    {
        (ShareConfiguration configuration, PassthroughShare share, _) = served;
        foreach (string mountPoint in configuration.Mounts)
        {
            ILogger log = _loggers.CreateLogger($"coherencyd.mount.{Path.GetFileName(mountPoint)}");
            MountView view = new(share.Group, share.RootKey) { Name = mountPoint };
            ServedGuest? guest = null;
            FuseSession session = new(OpenFileSystem, MountView.Configure(configuration.ToSessionOptions()), _lockWaits, log);
            guest = new ServedGuest(mountPoint, mountPoint, CacheMode.Coherent, served, session, view);
            guest.Mount = HostMount.Start(configuration.SharedDir, mountPoint, session, Math.Max(2, Environment.ProcessorCount), log, view);
            _mounts.Add(guest.Mount);
            _guests.Add(guest);

            IFileSystem OpenFileSystem()
            {
                PassthroughFileSystem files = share.OpenSession(view);
                view.Use(files);
                guest!.Use(files);
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
