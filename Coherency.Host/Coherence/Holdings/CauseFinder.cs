using Coherency.Core.Fuse;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>Finds what made an entry stale. What is not certain it does not say.</summary>
internal static class CauseFinder
{
    public static StaleEntry Explain(HeldGuest guest, in HeldFinding finding)
    {
        ChangeLog log = guest.Entries.Log;
        bool isKnown = TryFind(guest.Entries, finding, out ChangeRecord first, out bool isFalseSharing);
        ChangeCause? cause = isKnown ? Describe(first, guest.Entries) : null;
        return new StaleEntry(
            guest.Name,
            finding.Path,
            finding.Node,
            finding.Kind,
            HeldVersion.VersionOf(finding.Given),
            HeldVersion.VersionOf(finding.Now),
            cause?.At ?? log.OldestKnown,
            cause,
            isFalseSharing);
    }

    public static ChangeCause Describe(in ChangeRecord change, params ReadOnlySpan<HeldEntries> entries) =>
        new(change.Operation, change.Actor, change.At, PathOf(change, entries));

    private static string? PathOf(in ChangeRecord change, ReadOnlySpan<HeldEntries> entries)
    {
        if (change.KeyCount == 0)
        {
            return null;
        }

        bool isOfName = change.NameLength > 0;
        ulong key = isOfName ? change.NameDirectory : change.Keys[0].Value;
        foreach (HeldEntries known in entries)
        {
            NodeId node = key == known.View.Table.RootKey ? NodeId.Root : new NodeId(key);
            string? path = isOfName ? known.FindPath(node, change.Name) : known.FindPath(node);
            if (path is not null)
            {
                return path;
            }
        }

        return null;
    }

    private static bool TryFind(HeldEntries entries, in HeldFinding finding, out ChangeRecord first, out bool isFalseSharing)
    {
        ChangeLog log = entries.Log;
        first = default;
        isFalseSharing = false;
        if (finding.Sequence == 0)
        {
            return false;
        }

        // Only the lower half was kept.
        long next = log.Next;
        long from = next - (uint)((uint)next - finding.Sequence);
        SlotHistory history = log.ReadHistory(finding.Key, (ulong)entries.View.Table.SlotCount - 1, entries.View, from);
        // More moves than changes: some were before what is remembered, or were not written down.
        ulong moves = HeldVersion.VersionOf(finding.Now) - HeldVersion.VersionOf(finding.Given);
        bool isComplete = history.IsComplete && (ulong)history.Moves >= moves;
        bool isFound = history.First is not null;
        first = history.First ?? default;
        isFalseSharing = isFound && !history.IsOfKey;
        if (!HeldVersion.HaveSameEpoch(finding.Given, finding.Now))
        {
            bool hasEpoch = log.TryFindFirstEpoch(entries.View, from, out ChangeRecord epoch, out bool isEpochComplete);
            isComplete &= isEpochComplete;
            if (hasEpoch && (!isFound || isFalseSharing || epoch.Sequence < first.Sequence))
            {
                first = epoch;
                isFound = true;
                isFalseSharing = false;
            }
        }

        isFalseSharing &= isComplete;
        return isFound && isComplete;
    }
}
