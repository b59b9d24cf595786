namespace Coherency.Host.Passthrough;

/// <summary>A directory cannot be shared; the message is one line for the operator.</summary>
public sealed class ShareException(string message) : Exception(message);
