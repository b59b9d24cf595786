namespace Coherency.Daemon.Configuration;

/// <summary>What the user asked for cannot be done; the message says what is wrong and what to do.</summary>
public sealed class UsageException(string message) : Exception(message);
