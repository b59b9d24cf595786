namespace Coherency.Host.Coherence.Holdings;

/// <summary>What is known of one inode, or of one name.</summary>
/// <param name="Path">Relative to the share; null when no guest was told one.</param>
/// <param name="NodeId">0 when the name leads to nothing that a guest knows.</param>
/// <param name="Changes">The last of the inode and of the name, newest first, as far as they are remembered.</param>
public sealed record InspectedObject(
    string? Path, ulong NodeId, IReadOnlyList<InspectedSlot> Slots, IReadOnlyList<HolderReport> Holders,
    IReadOnlyList<ChangeReport> Changes);

/// <summary>A slot that governs it.</summary>
/// <param name="IsOfName">Of the name, not of the inode.</param>
/// <param name="Index">In the table of a guest.</param>
public sealed record InspectedSlot(bool IsOfName, ulong Key, ulong Index);

/// <summary>A guest that holds it, in one way.</summary>
/// <param name="Lookups">Of the inode, that the guest has not forgotten.</param>
public sealed record HolderReport(string Guest, HeldKind Kind, ulong VersionGiven, ulong VersionNow, bool IsStale, long Lookups);
