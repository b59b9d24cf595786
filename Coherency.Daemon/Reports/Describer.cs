using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Telemetry;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Reports;

/// <summary>What is known of shares and guests, as messages.</summary>
internal static class Describer
{
    public static V1.Share Describe(ServedShare share, IEnumerable<ServedGuest> guests)
    {
        ShareConfiguration configuration = share.Configuration;
        DurationTotals? delays = share.Watcher?.Delay.Read();
        V1.Share described = new()
        {
            Directory = share.Directory,
            Tag = GuestReport.TagOf(configuration),
            Cache = Translate(configuration.Cache),
            HostWatch = Translate(share.Watcher?.State),
            Readonly = configuration.Readonly,
            Descriptors = (ulong)share.Share.DescriptorCount,
            Inodes = (ulong)share.Share.InodeCount,
            HostChanges = (ulong)(delays?.Count ?? 0),
            EventsLost = (ulong)(share.Watcher?.TimesLost ?? 0),
            WatchDelayMedian = ToDuration(delays?.Quantile(0.5)),
            WatchDelayP99 = ToDuration(delays?.Quantile(0.99)),
        };
        described.Guests.AddRange(guests.Select(guest => guest.Name));
        return described;
    }

    /// <param name="tellsOperations">With what its requests amount to, by operation.</param>
    public static V1.Guest Describe(ServedGuest guest, bool tellsOperations)
    {
        (FuseOpcode Opcode, OperationTotals Totals)[] operations =
        [
            .. from opcode in System.Enum.GetValues<FuseOpcode>()
               where guest.Session.Counters[opcode] > 0
               select (opcode, guest.Session.Counters.Read(opcode)),
        ];
        V1.Guest described = new()
        {
            Name = guest.Name,
            Kind = guest.Mount is null ? V1.GuestKind.Vm : V1.GuestKind.Mount,
            State = Translate(GuestReport.StateOf(guest)),
            Share = guest.Share.Directory,
            Socket = guest.Address,
            Cache = Translate(guest.Cache),
            Coherent = GuestReport.IsCoherent(guest),
            FuseVersion = GuestReport.FuseVersionOf(guest),
            Queues = (uint)(guest.Endpoint?.QueuesInUse ?? 0),
            Requests = (ulong)guest.Session.Counters.Total,
            MalformedRequests = (ulong)guest.Session.Counters.Malformed,
            FailedRequests = (ulong)operations.Sum(CountFailures),
            WaitingRequests = (ulong)guest.Loads.Sum(load => load.Read().Waiting),
            Inodes = (ulong)(guest.Files?.HeldInodes ?? 0),
            OpenFiles = (ulong)(guest.Files?.OpenHandles ?? 0),
            KeptDescriptors = (ulong)(guest.Files?.KeptDescriptors ?? 0),
            ConnectedAt = guest.Endpoint?.ConnectedAt is { } since ? Timestamp.FromDateTimeOffset(since) : null,
            HeartbeatAge = ToDuration(guest.Table?.HeartbeatAge),
            HeartbeatBound = guest.Table is null ? null : HeartbeatBound,
        };
        if (guest.Session.CacheReport?.HitRatio is { } ratio)
        {
            described.HitRatio = ratio;
        }

        if (tellsOperations)
        {
            described.Operations.AddRange(operations.Select(operation => Describe(operation.Opcode, operation.Totals)));
        }

        return described;
    }

    public static V1.GetTableResponse Describe(ServedGuest guest, VersionTableWriter table, TableReport report)
    {
        ShareConfiguration share = guest.Share.Configuration;
        V1.GetTableResponse response = new()
        {
            Slots = (ulong)table.SlotCount,
            Moves = report.Rate.Moves,
            MovesPerSecond = report.Rate.MovesPerSecond,
            SlotsInChange = (ulong)report.Rate.SlotsInChange,
            HeldEntries = (ulong)report.HeldEntries,
            OccupiedSlots = (ulong)report.OccupiedSlots,
            ExpectedFalseStalePerSecond = report.ExpectedFalseStalePerSecond,
            Epoch = table.Epoch,
            HeartbeatAge = ToDuration(table.HeartbeatAge),
            HeartbeatBound = HeartbeatBound,
            Path = ConfigurationFile.TablePathOf(share, share.Guests.First(one => one.Name == guest.Name)),
        };
        response.Heat.AddRange(report.Heat);
        return response;
    }

    private static Duration HeartbeatBound => Duration.FromTimeSpan(TimeSpan.FromMilliseconds(Heartbeat.BoundMs));

    private static V1.Operation Describe(FuseOpcode opcode, OperationTotals totals)
    {
        V1.Operation described = new()
        {
            Name = TelemetryNames.OperationOf(opcode),
            Requests = (ulong)totals.Finished,
            TotalSeconds = totals.Durations.Nanoseconds.Sum() / 1e9,
        };
        described.Errors.AddRange(
            from error in totals.Errors
            select new V1.OperationError { Name = TelemetryNames.ErrorOf(error.Error), Count = (ulong)error.Count });
        described.Durations.AddRange(totals.Durations.Counts.Select(count => (ulong)count));
        return described;
    }

    /// <summary>That a name or an attribute does not exist is an answer like any other.</summary>
    private static long CountFailures((FuseOpcode Opcode, OperationTotals Totals) operation) => operation.Totals.Errors
        .Where(error => (operation.Opcode, error.Error) is not ((FuseOpcode.Lookup, Errno.ENOENT) or (FuseOpcode.GetXattr, Errno.ENODATA)))
        .Sum(error => error.Count);

    private static Duration? ToDuration(TimeSpan? time) => time is { } known ? Duration.FromTimeSpan(known) : null;

    private static V1.GuestState Translate(GuestState state) => state switch
    {
        GuestState.Listening => V1.GuestState.Listening,
        GuestState.Connected => V1.GuestState.Connected,
        GuestState.Mounted => V1.GuestState.Mounted,
        GuestState.Draining => V1.GuestState.Draining,
        GuestState.Drained => V1.GuestState.Drained,
        _ => V1.GuestState.Unspecified,
    };

    private static V1.CacheMode Translate(CacheMode mode) => mode switch
    {
        CacheMode.Never => V1.CacheMode.Never,
        CacheMode.Metadata => V1.CacheMode.Metadata,
        CacheMode.Auto => V1.CacheMode.Auto,
        CacheMode.Always => V1.CacheMode.Always,
        CacheMode.Coherent => V1.CacheMode.Coherent,
        _ => V1.CacheMode.Unspecified,
    };

    private static V1.HostWatch Translate(WatchState? state) => state switch
    {
        WatchState.Inotify => V1.HostWatch.Inotify,
        WatchState.Fanotify => V1.HostWatch.Fanotify,
        _ => V1.HostWatch.None,
    };
}
