using System.Globalization;
using Coherency.Daemon.Admin.Services;
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

    public IReadOnlyList<DashboardGuest> ListGuests(bool countStale) => [.. _server.Guests.Select(guest => Describe(guest, countStale))];

    public DashboardTable? FindTable(string guest, int buckets)
    {
        ServedGuest? found = _server.Guests.FirstOrDefault(one => one.Name == guest);
        if (found?.Table is not { } view || buckets > view.Table.SlotCount)
        {
            return null;
        }

        TableReport report = reports.Tables.LookAsync(found, buckets, CancellationToken.None).GetAwaiter().GetResult();
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

    public DashboardStalePage? FindStale(string? guest, string? after, int most, CancellationToken cancellation)
    {
        if (guest is not null && !_server.Guests.Any(one => one.Name == guest))
        {
            return null;
        }

        StaleFilter filter = new() { Guests = guest is null ? null : [guest] };
        return reports.Holdings.TryListStale(filter, most, after, out StalePage page)
            ? new DashboardStalePage([.. page.Entries.Select(Describe)], page.NextToken ?? "", DateTimeOffset.UtcNow)
            : null;
    }

    private static DashboardShare Describe(ServedShare share)
    {
        DurationTotals? delays = share.Watcher?.Delay.Read();
        return new DashboardShare
        {
            Directory = share.Directory,
            Tag = Describer.TagOf(share.Configuration),
            HostWatch = share.Watcher?.State ?? default,
            Readonly = share.Configuration.Readonly,
            DelayMedianMs = delays?.Quantile(0.5)?.TotalMilliseconds,
            DelayP99Ms = delays?.Quantile(0.99)?.TotalMilliseconds,
            HostChanges = delays?.Count ?? 0,
            EventsLost = share.Watcher?.TimesLost ?? 0,
            Inodes = share.Share.InodeCount,
            Descriptors = share.Share.Options.Budget.Used,
        };
    }

    private static DashboardGuest Describe(ServedGuest guest, bool countStale) => new()
    {
        Name = guest.Name,
        Kind = guest.Mount is null ? DashboardGuestKind.Vm : DashboardGuestKind.Mount,
        State = (DashboardGuestState)(Describer.StateOf(guest) - 1),
        Share = guest.Share.Directory,
        Socket = guest.Address,
        Cache = guest.Cache,
        Coherent = Describer.IsCoherent(guest),
        HasTable = guest.Table is not null,
        FuseVersion = Describer.FuseVersionOf(guest),
        Requests = guest.Session.Counters.Total,
        HitRatio = guest.Session.CacheReport?.HitRatio,
        Inodes = guest.Files?.HeldInodes ?? 0,
        StaleEntries = countStale && guest.Held is { } held ? HoldingsQuery.CountStale(held) : null,
        HeartbeatAgeMs = guest.Table?.HeartbeatAge?.TotalMilliseconds,
        HeartbeatBoundMs = guest.Table is null ? null : Heartbeat.BoundMs,
        ConnectedAt = guest.Endpoint?.ConnectedAt,
    };

    private static DashboardStaleEntry Describe(StaleEntry entry) => new()
    {
        Guest = entry.Guest,
        Path = entry.Path ?? "",
        NodeId = entry.NodeId.ToString(CultureInfo.InvariantCulture),
        Kind = (DashboardEntryKind)entry.Kind,
        Since = entry.Since,
        Cause = entry.Cause is { } cause
            ? new DashboardCause(cause.OperationName, Describe(cause.Actor), cause.At, cause.Path ?? "")
            : new DashboardCause("", new DashboardActor(DashboardActorKind.Unknown), entry.Since),
        FalseSharing = entry.IsFalseSharing,
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
