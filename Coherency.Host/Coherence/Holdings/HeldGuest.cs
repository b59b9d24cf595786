namespace Coherency.Host.Coherence.Holdings;

/// <summary>A guest whose holdings are recorded.</summary>
/// <param name="Name">Not that of another one.</param>
/// <param name="Share">What the share is called that paths are relative to.</param>
public sealed record HeldGuest(string Name, string Share, HeldEntries Entries);
