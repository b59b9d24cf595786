namespace Coherency.Host.Coherence.Holdings;

/// <summary>Something that a guest holds and that is no longer true, or may not be.</summary>
/// <param name="Path">Relative to the share, empty for its root; null when the guest was told no way that it still remembers.</param>
/// <param name="NodeId">Of the inode, on the wire; of a name that does not exist, 0.</param>
/// <param name="VersionGiven">Of the slot in the guest's view, before the answer was looked up.</param>
/// <param name="Since">UTC; when the cause is not known any more, the time of the oldest change that is.</param>
/// <param name="Cause">Null when it is not known.</param>
/// <param name="IsFalseSharing">Nothing of the entry has changed, only something that has the same slot.</param>
public sealed record StaleEntry(
    string Guest, string? Path, ulong NodeId, HeldKind Kind, ulong VersionGiven, ulong VersionNow, DateTime Since, ChangeCause? Cause,
    bool IsFalseSharing);

/// <summary>What of all that is stale is wanted.</summary>
public sealed record StaleFilter
{
    /// <summary>Names of guests; null for all.</summary>
    public IReadOnlyCollection<string>? Guests { get; init; }

    /// <summary>Only this path and what is below it; empty for everything, also what has no known path.</summary>
    public string PathPrefix { get; init; } = string.Empty;

    public HeldKinds Kinds { get; init; } = HeldKinds.All;

    public TimeSpan MinimumAge { get; init; }
}

/// <summary>Some of the stale entries.</summary>
/// <param name="NextToken">To go on after the last of these; null at the end.</param>
public sealed record StalePage(IReadOnlyList<StaleEntry> Entries, string? NextToken);
