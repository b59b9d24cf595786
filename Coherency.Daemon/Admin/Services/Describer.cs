using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

/// <summary>What is known of shares and guests, as messages.</summary>
internal static class Describer
{
    public static V1.Share Describe(ServedShare share, IEnumerable<ServedGuest> guests)
    {
        ShareConfiguration configuration = share.Configuration;
        V1.Share described = new()
        {
            Directory = share.Directory,
            Tag = GuestReport.TagOf(configuration),
            Cache = Translate(configuration.Cache),
            HostWatch = Translate(share.Watcher?.State),
            Readonly = configuration.Readonly,
            Descriptors = (ulong)share.Share.DescriptorCount,
            Inodes = (ulong)share.Share.InodeCount,
        };
        described.Guests.AddRange(guests.Select(guest => guest.Name));
        return described;
    }

    public static V1.Guest Describe(ServedGuest guest) => new()
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
        Inodes = (ulong)(guest.Files?.HeldInodes ?? 0),
        OpenFiles = (ulong)(guest.Files?.OpenHandles ?? 0),
        ConnectedAt = guest.Endpoint?.ConnectedAt is { } since ? Timestamp.FromDateTimeOffset(since) : null,
    };

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
