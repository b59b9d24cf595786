using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>A share with guests in user space whose holdings are recorded.</summary>
internal sealed class HoldingsBed : IDisposable
{
    public const string ShareName = "share";

    private readonly DirectoryInfo _work = System.IO.Directory.CreateTempSubdirectory("coherency-holdings-");
    private readonly LockWaits _lockWaits = new();
    private readonly List<IDisposable> _open = [];
    private readonly List<HeldGuest> _held = [];

    /// <param name="changes">How many changes are remembered.</param>
    /// <param name="slots">Of each guest's table.</param>
    /// <param name="directory">To be shared and left as it is; null for one of its own.</param>
    public HoldingsBed(int changes = ChangeLog.DefaultCapacity, int slots = 1 << 18, string? directory = null)
    {
        Slots = slots;
        Log = new ChangeLog(changes);
        Directory = directory ?? _work.CreateSubdirectory("shared").FullName;
        Share = new PassthroughShare(
            new PassthroughOptions { SharedDirectory = Directory, Budget = new DescriptorBudget(8192) }, new ShareGroup(Log));
    }

    public int Slots { get; }

    public ChangeLog Log { get; }

    public string Directory { get; }

    public PassthroughShare Share { get; }

    public ShareGroup Group => Share.Group;

    public HoldingsQuery Query => new(_held);

    /// <summary>Starts to watch what programs of the host do; before the first guest.</summary>
    public HostWatcher Watch(WatchState best = WatchState.Fanotify)
    {
        HostWatcher watcher = new(Share, Group, NullLogger.Instance, best);
        _open.Add(watcher);
        return watcher;
    }

    /// <param name="cache">Coherent: it attaches, and may cache for ever.</param>
    public HeldGuestClient Connect(string name, CacheMode cache = CacheMode.Coherent, bool isRecorded = true, HeldLimits? limits = null)
    {
        TableView view = CreateView(name);
        HeldEntries? held = isRecorded ? new HeldEntries(view, limits) : null;
        bool isCoherent = cache == CacheMode.Coherent;
        SessionOptions options = new() { Cache = CachePolicy.For(isCoherent ? CacheMode.Auto : cache) };
        PassthroughFileSystem? files = null;
        FuseSession session = new(
            () => files = Share.OpenSession(view), options, _lockWaits, NullLogger.Instance, isCoherent ? view : null, held);
        string socket = Path.Combine(_work.FullName, $"{name}.sock");
        GuestOptions guestOptions = new() { Name = name, SocketPath = socket, Tag = "t", RequestQueues = 1 };
        _open.Add(new GuestEndpoint(guestOptions, session, NullLogger.Instance));
        VirtioFsGuest guest = VirtioFsGuest.Connect(socket);
        _open.Add(guest);
        if (held is not null)
        {
            _held.Add(new HeldGuest(name, ShareName, held));
        }

        HeldGuestClient client = new(name, guest, view, held, () => files!);
        if (isCoherent)
        {
            client.Attach();
        }

        return client;
    }

    /// <summary>A session without a transport.</summary>
    public DirectClient ConnectDirectly(string name, bool isRecorded = true)
    {
        TableView view = CreateView(name);
        HeldEntries? held = isRecorded ? new HeldEntries(view) : null;
        return new DirectClient(
            new FuseSession(() => Share.OpenSession(view), new SessionOptions(), _lockWaits, NullLogger.Instance, view, held));
    }

    private TableView CreateView(string name)
    {
        VersionTableDescription description = new("t", Share.RootKey, Slots, 1000);
        TableView view = new(Group, VersionTableWriter.CreateAnonymous(description)) { Name = name };
        _open.Add(view);
        return view;
    }

    public string PathOf(string name) => Path.Combine(Directory, name);

    public void WriteFile(string name, string text = "text") => File.WriteAllText(PathOf(name), text);

    /// <summary>All that is stale, in pages of <paramref name="most"/>.</summary>
    public List<StaleEntry> Stale(StaleFilter? filter = null, int most = 1000)
    {
        List<StaleEntry> all = [];
        string? token = null;
        do
        {
            Assert.True(Query.TryListStale(filter ?? new StaleFilter(), most, token, out StalePage page));
            Assert.True(page.Entries.Count <= most);
            all.AddRange(page.Entries);
            token = page.NextToken;
        }
        while (token is not null);
        return all;
    }

    public void Dispose()
    {
        _open.Reverse();
        _open.ForEach(one => one.Dispose());
        Share.Dispose();
        _work.Delete(recursive: true);
    }
}

/// <summary>One guest of a <see cref="HoldingsBed"/>.</summary>
/// <param name="Owner">Its conversation now, as <see cref="HeldEntries"/> knows it.</param>
internal sealed record HeldGuestClient(string Name, VirtioFsGuest Guest, TableView View, HeldEntries? Entries, Func<object> Owner)
{
    public FuseClient Fuse => Guest.Fuse;

    public HeldEntries Held => Entries!;

    public void Attach() => Fuse.GetXattr(NodeId.Root, VersionTableLayout.AttachAttribute);

    public NodeId Lookup(string name) => Lookup(NodeId.Root, name);

    public NodeId Lookup(NodeId parent, string name) => new(Fuse.Lookup(parent, Bytes(name)).nodeid);

    /// <summary>Everything that is recorded of it, as "Name dir/file", sorted.</summary>
    public string[] Holdings(bool staleOnly = false)
    {
        HeldScan scan = new() { StaleOnly = staleOnly };
        List<string> all = [];
        bool goesOn;
        do
        {
            goesOn = Held.Scan(scan);
            all.AddRange(scan.Findings.Select(finding => $"{finding.Kind} {finding.Path ?? "?"}"));
        }
        while (goesOn);
        return [.. all.Order(StringComparer.Ordinal)];
    }

    public static byte[] Bytes(string name) => System.Text.Encoding.UTF8.GetBytes(name);
}
