namespace Coherency.Host.Transports.VhostUser;

/// <summary>A socket path cannot be used; the message tells the user why and what to do.</summary>
public sealed class SocketPathException(string message) : IOException(message);
