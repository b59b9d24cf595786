using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
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
        bool isFound = TryFindOfKey(entries, finding.Key, from, out first, out bool isOwn, out bool isComplete);
        if (!HeldVersion.HaveSameEpoch(finding.Given, finding.Now))
        {
            bool hasEpoch = log.TryFindFirstEpoch(entries.View, from, out ChangeRecord epoch, out bool isEpochComplete);
            isComplete &= isEpochComplete;
            if (hasEpoch && (!isFound || epoch.Sequence < first.Sequence))
            {
                first = epoch;
                isFound = isOwn = true;
            }
        }

        isFalseSharing = isFound && isComplete && !isOwn;
        return isFound && isComplete;
    }

    /// <summary>
    /// The first change of what the key stands for; without one, the first of something that has the same slot.
    /// </summary>
    private static bool TryFindOfKey(
        HeldEntries entries, SlotKey key, long from, out ChangeRecord first, out bool isOwn, out bool isComplete)
    {
        ulong mask = (ulong)entries.View.Table.SlotCount - 1;
        isOwn = entries.Log.TryFindFirst(key, ulong.MaxValue, entries.View, from, out first, out isComplete);
        return isOwn || (isComplete && entries.Log.TryFindFirst(key, mask, entries.View, from, out first, out isComplete));
    }
}
