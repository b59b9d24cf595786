using System.Globalization;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Dashboard;

/// <summary>What the dashboard shows of a running daemon.</summary>
internal sealed class DaemonDashboardData(DaemonReports reports) : IDashboardData
{
    private readonly GuestServer _server = reports.Server;

    public IReadOnlyList<DashboardShare> ListShares() => [.. _server.ServedShares.Select(Describe)];

    public async Task<IReadOnlyList<DashboardGuest>> ListGuestsAsync(bool countStale, CancellationToken cancellation)
    {
        List<DashboardGuest> guests = [];
        foreach (ServedGuest guest in _server.Guests)
        {
            long? stale = countStale && guest.Held is { } held
                ? await reports.Scans.RunAsync(() => HoldingsQuery.CountStale(held), cancellation).ConfigureAwait(false)
                : null;
            guests.Add(Describe(guest, stale));
        }

        return guests;
    }

    public async Task<DashboardTable?> FindTableAsync(string guest, int buckets, CancellationToken cancellation)
    {
        ServedGuest? found = _server.Guests.FirstOrDefault(one => one.Name == guest);
        if (found?.Table is not { } view || buckets > view.Table.SlotCount)
        {
            return null;
        }

        TableReport report = await reports.Tables.LookAsync(found, buckets, cancellation).ConfigureAwait(false);
        return new DashboardTable
        {
            Guest = guest,
            Slots = view.Table.SlotCount,
            Moves = (long)report.Rate.Moves,
            MovesPerSecond = report.Rate.MovesPerSecond,
            SlotsInChange = report.Rate.SlotsInChange,
            Epoch = view.Table.Epoch.ToString(CultureInfo.InvariantCulture),
            HeartbeatAgeMs = view.Table.HeartbeatAge?.TotalMilliseconds ?? 0,
            HeartbeatBoundMs = Heartbeat.BoundMs,
            OccupiedSlots = report.OccupiedSlots,
            HeldEntries = report.HeldEntries,
            ExpectedFalseStalePerSecond = report.ExpectedFalseStalePerSecond,
            Heat = [.. report.Heat.Select(versions => (long)versions)],
        };
    }

    public async Task<DashboardStalePage?> FindStaleAsync(string? guest, string? after, int most, CancellationToken cancellation)
    {
        if (guest is not null && !_server.Guests.Any(one => one.Name == guest))
        {
            return null;
        }

        StaleFilter filter = new() { Guests = guest is null ? null : [guest] };
        StalePage? page = await reports.Scans.RunAsync(
            () => reports.Holdings.TryListStale(filter, most, after, out StalePage listed) ? listed : null, cancellation).ConfigureAwait(false);
        return page is null ? null : new DashboardStalePage([.. page.Entries.Select(Describe)], page.NextToken ?? "", DateTimeOffset.UtcNow);
    }

    private static DashboardShare Describe(ServedShare share)
    {
        DurationTotals? delays = share.Watcher?.Delay.Read();
        return new DashboardShare
        {
            Directory = share.Directory,
            Tag = GuestReport.TagOf(share.Configuration),
            HostWatch = share.Watcher?.State ?? default,
            Readonly = share.Configuration.Readonly,
            DelayMedianMs = delays?.Quantile(0.5)?.TotalMilliseconds,
            DelayP99Ms = delays?.Quantile(0.99)?.TotalMilliseconds,
            HostChanges = delays?.Count ?? 0,
            EventsLost = share.Watcher?.TimesLost ?? 0,
            Inodes = share.Share.InodeCount,
            Descriptors = share.Share.DescriptorCount,
        };
    }

    private static DashboardGuest Describe(ServedGuest guest, long? stale) => new()
    {
        Name = guest.Name,
        Kind = guest.Mount is null ? DashboardGuestKind.Vm : DashboardGuestKind.Mount,
        State = Translate(GuestReport.StateOf(guest)),
        Share = guest.Share.Directory,
        Socket = guest.Address,
        Cache = guest.Cache,
        Coherent = GuestReport.IsCoherent(guest),
        HasTable = guest.Table is not null,
        FuseVersion = GuestReport.FuseVersionOf(guest),
        Requests = guest.Session.Counters.Total,
        HitRatio = guest.Session.CacheReport?.HitRatio,
        Inodes = guest.Files?.HeldInodes ?? 0,
        StaleEntries = stale,
        HeartbeatAgeMs = guest.Table?.HeartbeatAge?.TotalMilliseconds,
        HeartbeatBoundMs = guest.Table is null ? null : Heartbeat.BoundMs,
        ConnectedAt = guest.Endpoint?.ConnectedAt,
    };

    private static DashboardStaleEntry Describe(StaleEntry entry) => new()
    {
        Guest = entry.Guest,
        Path = entry.Path ?? "",
        NodeId = entry.NodeId.ToString(CultureInfo.InvariantCulture),
        Kind = Translate(entry.Kind),
        Since = entry.Since,
        Cause = entry.Cause is { } cause
            ? new DashboardCause(cause.OperationName, Describe(cause.Actor), cause.At, cause.Path ?? "")
            : new DashboardCause("", new DashboardActor(DashboardActorKind.Unknown), entry.Since),
        FalseSharing = entry.IsFalseSharing,
    };

    private static DashboardGuestState Translate(GuestState state) => state switch
    {
        GuestState.Listening => DashboardGuestState.Listening,
        GuestState.Connected => DashboardGuestState.Connected,
        GuestState.Mounted => DashboardGuestState.Mounted,
        GuestState.Draining => DashboardGuestState.Draining,
        GuestState.Drained => DashboardGuestState.Drained,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };

    private static DashboardEntryKind Translate(HeldKind kind) => kind switch
    {
        HeldKind.Name => DashboardEntryKind.Dentry,
        HeldKind.AbsentName => DashboardEntryKind.NegativeDentry,
        HeldKind.Attributes => DashboardEntryKind.Attributes,
        HeldKind.SymlinkTarget => DashboardEntryKind.Symlink,
        HeldKind.Listing => DashboardEntryKind.Directory,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    private static DashboardActor Describe(ChangeActor actor) => actor.Kind switch
    {
        ChangeActorKind.Client => new DashboardActor(DashboardActorKind.Guest, actor.Name ?? ""),
        ChangeActorKind.Host => new DashboardActor(DashboardActorKind.Host, actor.Name ?? "", actor.ProcessId),
        ChangeActorKind.Administration => new DashboardActor(DashboardActorKind.Administration, actor.Name ?? ""),
        ChangeActorKind.Daemon => new DashboardActor(DashboardActorKind.Daemon, actor.Name ?? ""),
        _ => new DashboardActor(DashboardActorKind.Unknown),
    };
}
