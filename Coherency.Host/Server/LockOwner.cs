namespace Coherency.Host.Server;

/// <summary>Who holds record locks or waits for them: a lock owner of one client, as the client numbers them.</summary>
/// <param name="Client">The same object for all owners of the client.</param>
public readonly record struct LockOwner(object Client, ulong Owner);
