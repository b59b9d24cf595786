namespace Coherency.Host.Coherence.Holdings;

/// <summary>What was so when a request began, before anything was looked at for its answer.</summary>
/// <param name="Sequence">Of the next change that ends.</param>
/// <param name="Epoch">Of the guest's view.</param>
public readonly record struct HeldStart(long Sequence, ulong Epoch);
