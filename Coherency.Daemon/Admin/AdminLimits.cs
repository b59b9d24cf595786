using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Coherency.Daemon.Admin;

/// <summary>Bounds of what clients of the administration can take.</summary>
internal static class AdminLimits
{
    /// <summary>A thousand clients at once, each with a connection of its own, and as many that come and go.</summary>
    public const int ConnectionsMax = 2048;

    /// <summary>Of those, from the network: whoever can reach a port leaves the socket to those who administrate here.</summary>
    public const int NetworkConnectionsMax = 512;

    /// <summary>Until who connected over the network has shown its certificate.</summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(30);

    public static void Apply(KestrelServerLimits limits)
    {
        limits.MaxConcurrentConnections = ConnectionsMax;
        // The messages have limits of their own, and a stream of them has no size; nor has it a rate: it may stand still.
        limits.MaxRequestBodySize = null;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        // Who is gone without a word is found out.
        limits.Http2.KeepAlivePingDelay = PingDelay;
    }
}
