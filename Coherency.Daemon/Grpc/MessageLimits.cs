namespace Coherency.Daemon.Grpc;

/// <summary>Bounds of a call, on both sides.</summary>
internal static class MessageLimits
{
    /// <summary>The default of gRPC: a request of the administration takes a few hundred bytes.</summary>
    public const int ReceiveBytesMax = 4 << 20;

    /// <summary>Smaller messages grow rather than shrink.</summary>
    public const int CompressBytesMin = 1024;

    /// <summary>A client that reads nothing for so long is cut off.</summary>
    public static readonly TimeSpan WritePatience = TimeSpan.FromSeconds(20);

    /// <summary>A client that does not finish the one message it has to send is cut off.</summary>
    public static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(30);
}
