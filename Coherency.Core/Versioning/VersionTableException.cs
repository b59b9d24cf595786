namespace Coherency.Core.Versioning;

/// <summary>A version table cannot be made or used; the message says why and what to do.</summary>
public sealed class VersionTableException(string message) : IOException(message);
