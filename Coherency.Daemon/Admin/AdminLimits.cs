using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Coherency.Daemon.Admin;

/// <summary>Bounds of what clients of the administration can take.</summary>
internal sealed record AdminLimits
{
    /// <summary>Below this many bytes a second a client counts as one that stands still: a message has some hundred.</summary>
    private const double BytesPerSecondMin = 240;

    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(30);

    /// <summary>Over the socket: a thousand clients at once, each with a connection of its own, and as many that come and go.</summary>
    public int ConnectionsMax { get; init; } = 2048;

    /// <summary>From the network: whoever can reach a port leaves the socket to those who administrate here.</summary>
    public int NetworkConnectionsMax { get; init; } = 512;

    /// <summary>Calls under way at a time, streams included; more are refused. An idle stream costs some kilobytes.</summary>
    public int CallsMax { get; init; } = 2048;

    /// <summary>Bytes of one message, as sent and as decompressed: a request takes a few hundred.</summary>
    public int MessageBytesMax { get; init; } = 4 << 20;

    /// <summary>Until who connected over the network has shown its certificate.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A client that does not finish the one message that it has to send is disconnected after so long.</summary>
    public TimeSpan ReadPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A client that takes nothing off its stream is disconnected after so long.</summary>
    public TimeSpan WritePatience { get; init; } = TimeSpan.FromSeconds(20);

    public void Apply(KestrelServerLimits limits)
    {
        // Rates count only while something is waited for: a stream of answers may stand still for ever.
        limits.MinRequestBodyDataRate = new MinDataRate(BytesPerSecondMin, ReadPatience);
        limits.MinResponseDataRate = new MinDataRate(BytesPerSecondMin, WritePatience);
        // Who is gone without a word is found out.
        limits.Http2.KeepAlivePingDelay = PingDelay;
    }
}
