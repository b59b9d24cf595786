namespace Coherency.Host.Coherence.Changes;

/// <summary>What is done by whom, where a change begins.</summary>
/// <param name="Actor">The client that makes it, where that is not the view that needs no telling.</param>
public readonly record struct ChangeOrigin(ChangeOperation Operation, ShareView? Actor = null);
