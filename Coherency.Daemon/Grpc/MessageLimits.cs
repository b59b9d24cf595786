namespace Coherency.Daemon.Grpc;

/// <summary>Bounds of messages, on both sides.</summary>
internal static class MessageLimits
{
    /// <summary>The default of gRPC: a request of the administration takes a few hundred bytes.</summary>
    public const int ReceiveBytesMax = 4 << 20;

    /// <summary>Smaller messages grow rather than shrink.</summary>
    public const int CompressBytesMin = 1024;

    /// <summary>Characters of a status's text: clients refuse headers of more than 8 KiB, and each may take three bytes.</summary>
    public const int DetailLengthMax = 1024;
}
