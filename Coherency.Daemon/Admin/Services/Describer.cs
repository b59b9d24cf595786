using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Server;
using Coherency.Host.Transports.VhostUser;
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
            Tag = TagOf(configuration),
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
        State = StateOf(guest),
        Share = guest.Share.Directory,
        Socket = guest.Address,
        Cache = Translate(guest.Cache),
        Coherent = IsCoherent(guest),
        FuseVersion = FuseVersionOf(guest),
        Queues = (uint)(guest.Endpoint?.QueuesInUse ?? 0),
        Requests = (ulong)guest.Session.Counters.Total,
        MalformedRequests = (ulong)guest.Session.Counters.Malformed,
        Inodes = (ulong)(guest.Files?.HeldInodes ?? 0),
        OpenFiles = (ulong)(guest.Files?.OpenHandles ?? 0),
        ConnectedAt = guest.Endpoint?.ConnectedAt is { } since ? Timestamp.FromDateTimeOffset(since) : null,
    };

    /// <summary>What guests of a share mount that have no tag of their own.</summary>
    public static string TagOf(ShareConfiguration configuration) =>
        configuration.Guests is [GuestConfiguration first, ..] ? ConfigurationFile.TagOf(configuration, first with { Tag = null }) : "";

    /// <summary>May cache for ever: it consults its table, or is told of every change.</summary>
    public static bool IsCoherent(ServedGuest guest) =>
        guest.Table is { IsAttached: true } || (guest.Mount is not null && guest.Session.ProtocolMinor != 0);

    /// <summary>Empty before the guest has mounted.</summary>
    public static string FuseVersionOf(ServedGuest guest) => guest.Session.ProtocolMinor is not 0 and uint minor ? $"7.{minor}" : "";

    public static V1.GuestState StateOf(ServedGuest guest)
    {
        bool hasMounted = guest.Session.ProtocolMinor != 0;
        return guest.Endpoint?.State switch
        {
            null => hasMounted ? V1.GuestState.Mounted : V1.GuestState.Listening,
            GuestEndpointState.Draining => V1.GuestState.Draining,
            GuestEndpointState.Drained => V1.GuestState.Drained,
            GuestEndpointState.Connected => hasMounted ? V1.GuestState.Mounted : V1.GuestState.Connected,
            _ => V1.GuestState.Listening,
        };
    }

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
