using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Translation;
using Coherency.Host.Transports.FuseDevice;
using Coherency.Host.Transports.VhostUser;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>Every share of a configuration, open, and an endpoint for each of its guests, listening.</summary>
public sealed partial class GuestServer : IDisposable
{
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly LockWaits _lockWaits = new();
    private readonly List<FuseDeviceServer> _mounts = [];
    private readonly CoherentShares _coherent;

    /// <summary>Shares and guests come and go one at a time.</summary>
    private readonly Lock _membership = new();
    private volatile PassthroughShare[] _shares = [];
    private volatile GuestEndpoint[] _endpoints = [];
    private volatile ServedShare[] _servedShares = [];
    private volatile ServedGuest[] _guests = [];
    private bool _isDisposed;

    /// <summary>Those that are being removed, and how many, and one until the server ends.</summary>
    private readonly HashSet<ServedGuest> _leaving = [];
    private readonly CountdownEvent _departures = new(1);
    private readonly bool _recordsHoldings;
    private readonly Lazy<PassthroughMount> _lender;
    private readonly Interposition? _interposition;

    internal LockWaits LockWaits => _lockWaits;

    /// <summary>Guests have come or gone; by the thread that did it, with nothing locked.</summary>
    internal event Action? MembershipChanged;

    /// <exception cref="IOException">A share or a socket cannot be used; nothing is left open.</exception>
    public GuestServer(ServeConfiguration configuration, ILoggerFactory loggers, Interposition? interposition = null)
    {
        _loggers = loggers;
        _interposition = interposition;
        _log = loggers.CreateLogger("coherencyd");
        _coherent = new CoherentShares(_log);
        _lender = new Lazy<PassthroughMount>(OpenLender);
        _recordsHoldings = configuration.Admin is { Enabled: true, Holdings: true };
        DescriptorBudget.Process.Exhausted += ReportExhausted;
        InodeBudget.Process.Exhausted += ReportExhausted;
        try
        {
            if (!RequestThreads.HaveUmasks())
            {
                LogNoUmasks(_log);
            }

            if (MissingPages.Problem is { } unguarded)
            {
                LogUnguarded(_log, unguarded);
            }

            ShareGroup[] groups = CoherentShares.GroupOverlapping(
                [.. configuration.Shares.Select(share => share.SharedDir)], _recordsHoldings);
            foreach (IEnumerable<ShareConfiguration> sameFiles in configuration.Shares.Zip(groups)
                .GroupBy(pair => pair.Second, pair => pair.First))
            {
                ConfigurationFile.CheckSameFiles([.. sameFiles]);
            }

            for (int i = 0; i < groups.Length; i++)
            {
                ServedShare share = Open(configuration.Shares[i], groups[i]);
                foreach (GuestConfiguration guest in configuration.Shares[i].Guests)
                {
                    Listen(configuration.Shares[i], share, guest);
                }
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

    /// <summary>All guests, then all mounts, then guests that came later.</summary>
    public IReadOnlyList<ServedGuest> Guests => _guests;

    internal IEnumerable<HostWatcher> Watchers => _coherent.Watchers;

    /// <summary>Serves one more guest, over a connection of its VMM that is there already, until it ends.</summary>
    /// <param name="configuration">Of its share, which is opened unless it is served already; its own guests are none of this.</param>
    /// <param name="guest">Its socket is only a name.</param>
    /// <param name="offersConfiguration">The device says its tag itself.</param>
    /// <param name="connectionFd">Taken over, unless this fails.</param>
    /// <param name="ended">Called by a thread that must not remove the guest itself.</param>
    /// <exception cref="UsageException">It does not go together with what is served.</exception>
    /// <exception cref="IOException">The share cannot be used.</exception>
    internal ServedGuest Add(
        ShareConfiguration configuration, GuestConfiguration guest, bool offersConfiguration, int connectionFd, Action ended)
    {
        ServedGuest served;
        lock (_membership)
        {
            RefuseServed([guest]);
            RefuseBesideOthers(configuration);
            ServedShare share = FindShare(configuration) ?? Open(configuration, GroupFor(configuration));
            TableView? view = _coherent.OpenView(share.Share, configuration, guest);
            served = Prepare(configuration, share, guest, view, out FuseSession session, out ILogger log);
            Include(served, new GuestEndpoint(
                ToGuestOptions(configuration, guest, view) with { OffersConfiguration = offersConfiguration }, session, log, connectionFd,
                ended));
        }

        MembershipChanged?.Invoke();
        return served;
    }

    /// <summary>Serves more guests, all of the configuration or none; their share is opened unless it is served already.</summary>
    /// <exception cref="UsageException">It does not go together with what is served.</exception>
    /// <exception cref="IOException">The share, a table or a socket cannot be used.</exception>
    internal IReadOnlyList<ServedGuest> Add(ShareConfiguration configuration)
    {
        ConfigurationFile.Check(new ServeConfiguration { Shares = [configuration] });
        List<ServedGuest> added = [];
        try
        {
            lock (_membership)
            {
                RefuseServed(configuration.Guests);
                RefuseBesideOthers(configuration);
                ServedShare? share = FindShare(configuration);
                if (share is null && configuration.Mounts.Count > 0)
                {
                    throw new UsageException($"{configuration.SharedDir}: a running daemon mounts nothing on the host: give no mounts");
                }

                share ??= Open(configuration, GroupFor(configuration));
                try
                {
                    foreach (GuestConfiguration guest in configuration.Guests)
                    {
                        added.Add(Listen(configuration, share, guest));
                    }
                }
                catch when (added.Count == 0)
                {
                    CloseIfUnused(share);
                    throw;
                }
            }
        }
        catch
        {
            added.ForEach(guest => Remove(guest));
            throw;
        }

        MembershipChanged?.Invoke();
        return added;
    }

    /// <summary>
    /// Ends the session of a guest and what was there for it alone: its socket, its table, its share when no other guest has it.
    /// </summary>
    /// <param name="leavesTable">The file of its table stays: the guest is going to come again.</param>
    /// <returns>False when somebody else does or did, or the whole server ends.</returns>
    internal bool Remove(ServedGuest guest, bool leavesTable = false)
    {
        lock (_membership)
        {
            // Its name and its socket's path are nobody else's before they are free.
            if (_isDisposed || !_guests.Contains(guest) || !_leaving.Add(guest))
            {
                return false;
            }

            _departures.AddCount();
            _endpoints = [.. _endpoints.Where(endpoint => endpoint != guest.Endpoint)];
        }

        try
        {
            guest.Endpoint!.Dispose();
            Retire(guest, leavesTable);
        }
        finally
        {
            lock (_membership)
            {
                _leaving.Remove(guest);
                _guests = [.. _guests.Where(other => other != guest)];
                CloseIfUnused(guest.Share);
            }

            _departures.Signal();
        }

        MembershipChanged?.Invoke();
        return true;
    }

    public void Dispose()
    {
        lock (_membership)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        _departures.Signal();
        _departures.Wait();
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

        if (_lender.IsValueCreated)
        {
            _lender.Value.Dispose();
        }

        DescriptorBudget.Process.Exhausted -= ReportExhausted;
        InodeBudget.Process.Exhausted -= ReportExhausted;
    }

    /// <exception cref="UsageException">The kernel cannot do it.</exception>
    private PassthroughMount OpenLender()
    {
        try
        {
            return new PassthroughMount(_log);
        }
        catch (LinuxException refused)
        {
            throw new UsageException(
                $"--dax takes Linux 6.9 or later with CONFIG_FUSE_PASSTHROUGH, and root, on the host: {refused.Message}");
        }
    }

    /// <summary>With the membership locked.</summary>
    private void RefuseServed(IReadOnlyList<GuestConfiguration> wanted)
    {
        if (_isDisposed)
        {
            throw new UsageException("the daemon is stopping");
        }

        foreach (GuestConfiguration guest in wanted)
        {
            if (_guests.Any(other => other.Name == guest.Name))
            {
                throw new UsageException(
                    $"a guest named {guest.Name} is served already: give another name (of a coherencyd-virtiofsd: COHERENCYD_GUEST)");
            }
        }
    }

    /// <summary>
    /// With the membership locked: nobody can be added beside one who keeps what he wrote, or stores to files without a request, whoever
    /// came first.
    /// </summary>
    private void RefuseBesideOthers(ShareConfiguration wanted)
    {
        ShareTrees trees = ShareTrees.Of(wanted.SharedDir);
        if (_servedShares.Where(share => wanted.Dax is not null || share.Configuration.Dax is not null)
            .Any(share => trees.Overlaps(ShareTrees.Of(share.Directory))))
        {
            throw DaxSettings.Refuse(wanted.SharedDir);
        }

        if (_servedShares.Where(share => wanted.Writeback || share.Configuration.Writeback)
            .Any(share => trees.Overlaps(ShareTrees.Of(share.Directory))))
        {
            throw new UsageException(
                $"--writeback keeps what a guest wrote in that guest, where no version can tell the others of it: {wanted.SharedDir} " +
                "may be shared by several here");
        }
    }

    /// <summary>With the membership locked: who comes next opens it anew.</summary>
    private void CloseIfUnused(ServedShare share)
    {
        if (_guests.Any(guest => guest.Share == share) || !_servedShares.Contains(share))
        {
            return;
        }

        _servedShares = [.. _servedShares.Where(other => other != share)];
        _shares = [.. _shares.Where(other => other != share.Share)];
        _coherent.Retire(share.Share);
    }

    private void Retire(ServedGuest guest, bool leavesTable)
    {
        if ((guest.Table ?? guest.Held?.View) is { } view)
        {
            _coherent.Retire(view);
        }

        if (guest.Table is not null && !leavesTable)
        {
            DeleteTable(guest);
        }
    }

    /// <summary>The guest has never come. A table that was there before it, some machine may have mapped.</summary>
    private void Discard(ServedGuest guest)
    {
        guest.Session.Dispose();
        if ((guest.Table ?? guest.Held?.View) is { } view)
        {
            _coherent.Discard(view);
        }

        if (guest.Table?.Table.IsNew == true)
        {
            DeleteTable(guest);
        }
    }

    private static void DeleteTable(ServedGuest guest) =>
        File.Delete(ConfigurationFile.TablePathOf(guest.Wanted, guest.Configuration));

    private void ReportExhausted(string message) => LogExhausted(_log, message);

    /// <summary>A share of the same directory that was opened in the same way.</summary>
    private ServedShare? FindShare(ShareConfiguration wanted) => _servedShares.FirstOrDefault(share =>
        share.Configuration is { } present
        && present.SharedDir == wanted.SharedDir
        && present.InodeFileHandles == wanted.InodeFileHandles
        && present.Writeback == wanted.Writeback
        && present.AllowDirectIo == wanted.AllowDirectIo
        && present.Xattr == wanted.Xattr
        && present.AnnounceSubmounts == wanted.AnnounceSubmounts
        && (share.Watcher is not null || !ConfigurationFile.NeedsWatch(wanted)));

    /// <summary>
    /// With the membership locked: the group of those that reach files of this directory. Where they have been several, they become one
    /// while their guests work.
    /// </summary>
    private ShareGroup GroupFor(ShareConfiguration wanted)
    {
        ShareTrees trees = ShareTrees.Of(wanted.SharedDir);
        ServedShare[] overlapping = [.. _servedShares.Where(share => trees.Overlaps(ShareTrees.Of(share.Directory)))];
        ConfigurationFile.CheckSameFiles([.. overlapping.Select(share => share.Configuration), wanted]);
        ShareGroup group = overlapping.Select(share => share.Share.Group).FirstOrDefault()
            ?? new ShareGroup(_recordsHoldings ? new ChangeLog() : null);
        foreach (ServedShare share in overlapping)
        {
            // Of one that is there already, too: it may not have ended yet what the last one that was added waited for in vain.
            if (!group.TryTakeIn(share.Share.Group))
            {
                throw new UsageException(
                    $"{wanted.SharedDir} joins directories that are served apart, in one of which ({share.Directory}) a change does not " +
                    "end: does its file system stand still? Try again");
            }
        }

        return group;
    }

    /// <summary>Opens a share, with nobody who has it yet.</summary>
    private ServedShare Open(ShareConfiguration configuration, ShareGroup group)
    {
        PassthroughShare share = new(configuration.ToPassthroughOptions() with { Log = _log }, group);
        _shares = [.. _shares, share];
        if (_recordsHoldings || ConfigurationFile.NeedsWatch(configuration))
        {
            _coherent.Watch(share);
        }

        ServedShare served = new(configuration, share, _coherent.WatcherOf(share));
        _servedShares = [.. _servedShares, served];
        return served;
    }

    private ServedGuest Listen(ShareConfiguration configuration, ServedShare share, GuestConfiguration guest)
    {
        TableView? view = _coherent.OpenView(share.Share, configuration, guest);
        ServedGuest served = Prepare(configuration, share, guest, view, out FuseSession session, out ILogger log);
        try
        {
            Include(served, new GuestEndpoint(ToGuestOptions(configuration, guest, view), session, log));
        }
        catch
        {
            Discard(served);
            throw;
        }

        return served;
    }

    /// <summary>Makes it one of the guests. Without its table nobody keeps right what it believes, so it may not go on.</summary>
    private void Include(ServedGuest guest, GuestEndpoint endpoint)
    {
        guest.Endpoint = endpoint;
        if (guest.Table is { } view)
        {
            view.Table.Lost += () =>
            {
                endpoint.Disconnect();
                LogTableLost(_log, guest.Name);
            };
        }

        _endpoints = [.. _endpoints, endpoint];
        _guests = [.. _guests, guest];
    }

    /// <param name="wanted">How its session is to be, where the share was opened for another one's wishes.</param>
    private ServedGuest Prepare(
        ShareConfiguration wanted, ServedShare share, GuestConfiguration configuration, TableView? view, out FuseSession session,
        out ILogger log)
    {
        log = _loggers.CreateLogger($"coherencyd.{configuration.Name}");
        CacheMode cache = ConfigurationFile.CacheOf(wanted, configuration);
        ClientTranslation translation = wanted.ToTranslation();
        ServedGuest? guest = null;
        HeldEntries? held = Record(share, configuration, view);
        SessionOptions options = wanted.ToSessionOptions(configuration.Cache) with
        {
            Dax = wanted.Dax is null ? null : new DaxOptions(DaxSettings.MinBytesOf(wanted), _lender.Value),
        };
        session = new FuseSession(OpenFileSystem, options, _lockWaits, log, view, held);
        guest = new ServedGuest(wanted, configuration, cache, share, session, view);
        return guest;

        IFileSystem OpenFileSystem()
        {
            PassthroughFileSystem files = share.Share.OpenSession(view ?? held?.View);
            guest!.Use(files);
            IFileSystem restricted = ShareAccess.Restrict(files, configuration.Readonly ?? wanted.Readonly, translation);
            return _interposition is null ? restricted : _interposition.Wrap(configuration.Name, restricted);
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
            ClientTranslation translation = configuration.ToTranslation();
            ServedGuest? guest = null;
            FuseSession session = new(OpenFileSystem, MountView.Configure(configuration.ToSessionOptions()), _lockWaits, log);
            GuestConfiguration place = new() { Name = mountPoint, Socket = mountPoint };
            guest = new ServedGuest(configuration, place, CacheMode.Coherent, served, session, view);
            guest.Mount = HostMount.Start(configuration.SharedDir, mountPoint, session, Math.Max(2, Environment.ProcessorCount), log, view);
            _mounts.Add(guest.Mount);
            _guests = [.. _guests, guest];

            IFileSystem OpenFileSystem()
            {
                PassthroughFileSystem files = share.OpenSession(view);
                view.Use(files);
                guest!.Use(files);
                return ShareAccess.Restrict(files, configuration.Readonly, translation);
            }
        }
    }

    private GuestOptions ToGuestOptions(ShareConfiguration share, GuestConfiguration guest, TableView? view) => new()
    {
        Name = guest.Name,
        SocketPath = guest.Socket,
        Tag = ConfigurationFile.TagOf(share, guest),
        RequestQueues = guest.NumRequestQueues ?? share.NumRequestQueues,
        Table = view?.Table,
        SharedMemory = view is null ? default : DaxSettings.LayoutOf(share, view.Table.MemoryBytes),
        Queue = new QueueOptions(guest.PollUs ?? share.PollUs, guest.ThreadPoolSize ?? share.ThreadPoolSize)
        {
            HandsOver = _interposition?.HandsOver,
        },
    };

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "unshare(CLONE_FS) is refused, by the seccomp policy of a container runtime perhaps: what guests make gets its mode " +
            "without help of the host's umask")]
    private static partial void LogNoUmasks(ILogger log);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "guests' memory is not guarded, for this process may not map code ({Problem}): where a page of it cannot be had, the " +
            "daemon ends for all guests. Give guests memory-backend-memfd, or prealloc=on")]
    private static partial void LogUnguarded(ILogger log, string problem);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "{Guest}: its version table was made shorter by somebody who can write to it, its VMM perhaps: the connection ends. " +
            "A guest of the configuration needs the table's file removed and the daemon started again before it is started")]
    private static partial void LogTableLost(ILogger log, string guest);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void LogExhausted(ILogger log, string message);
}
