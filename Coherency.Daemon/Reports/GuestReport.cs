using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Transports.VhostUser;

namespace Coherency.Daemon.Reports;

/// <summary>What a guest is doing.</summary>
internal enum GuestState
{
    /// <summary>Nobody is connected to its socket.</summary>
    Listening,

    /// <summary>A VMM is connected; its guest has not mounted.</summary>
    Connected,
    Mounted,
    Draining,

    /// <summary>No VMM can connect until the guest is resumed.</summary>
    Drained,
}

/// <summary>Facts about guests that take more than one look.</summary>
internal static class GuestReport
{
    /// <summary>What guests of a share mount that have no tag of their own.</summary>
    public static string TagOf(ShareConfiguration configuration) =>
        configuration.Guests is [GuestConfiguration first, ..] ? ConfigurationFile.TagOf(configuration, first with { Tag = null }) : "";

    /// <summary>May cache for ever: it consults its table, or is told of every change.</summary>
    public static bool IsCoherent(ServedGuest guest) =>
        guest.Table is { IsAttached: true } || (guest.Mount is not null && guest.Session.ProtocolMinor != 0);

    /// <summary>As "7.38"; empty before the guest has mounted.</summary>
    public static string FuseVersionOf(ServedGuest guest) => guest.Session.ProtocolMinor is not 0 and uint minor ? $"7.{minor}" : "";

    public static GuestState StateOf(ServedGuest guest)
    {
        bool hasMounted = guest.Session.ProtocolMinor != 0;
        return guest.Endpoint?.State switch
        {
            null => hasMounted ? GuestState.Mounted : GuestState.Listening,
            GuestEndpointState.Draining => GuestState.Draining,
            GuestEndpointState.Drained => GuestState.Drained,
            GuestEndpointState.Connected => hasMounted ? GuestState.Mounted : GuestState.Connected,
            _ => GuestState.Listening,
        };
    }
}
