using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Reports;

/// <summary>What guests hold and what changed it, as messages.</summary>
internal static class HoldingsDescriber
{
    private static readonly (HeldKind Kind, V1.EntryKind Message)[] Kinds =
    [
        (HeldKind.Name, V1.EntryKind.Dentry),
        (HeldKind.AbsentName, V1.EntryKind.NegativeDentry),
        (HeldKind.Attributes, V1.EntryKind.Attributes),
        (HeldKind.SymlinkTarget, V1.EntryKind.Symlink),
        (HeldKind.Listing, V1.EntryKind.Directory),
    ];

    private static V1.EntryKind Describe(HeldKind kind) => Array.Find(Kinds, pair => pair.Kind == kind).Message;

    /// <summary>All of these kinds; null when one of them is none.</summary>
    public static HeldKinds? ToKinds(IReadOnlyCollection<V1.EntryKind> kinds)
    {
        HeldKinds all = kinds.Count == 0 ? HeldKinds.All : HeldKinds.None;
        foreach (V1.EntryKind kind in kinds)
        {
            int index = Array.FindIndex(Kinds, pair => pair.Message == kind);
            if (index < 0)
            {
                return null;
            }

            all |= (HeldKinds)(1 << (int)Kinds[index].Kind);
        }

        return all;
    }

    /// <param name="isWanted">Leaves entries of the page out; null for all.</param>
    public static V1.ListStaleEntriesResponse Describe(StalePage page, Func<StaleEntry, bool>? isWanted = null)
    {
        V1.ListStaleEntriesResponse response = new() { NextPageToken = page.NextToken ?? "", At = Timestamp.FromDateTime(DateTime.UtcNow) };
        response.Entries.AddRange(page.Entries.Where(isWanted ?? (_ => true)).Select(Describe));
        return response;
    }

    private static V1.StaleEntry Describe(StaleEntry entry) => new()
    {
        Guest = entry.Guest,
        Path = entry.Path ?? "",
        NodeId = entry.NodeId,
        Kind = Describe(entry.Kind),
        VersionGiven = entry.VersionGiven,
        VersionNow = entry.VersionNow,
        Since = Timestamp.FromDateTime(entry.Since),
        Cause = entry.Cause is null ? new V1.Cause() : Describe(entry.Cause),
        FalseSharing = entry.IsFalseSharing,
    };

    public static V1.Change Describe(ChangeReport change)
    {
        V1.Change described = new() { Sequence = (ulong)change.Sequence, Cause = Describe(change.Cause) };
        described.SlotKeys.AddRange(change.Keys);
        return described;
    }

    public static V1.InspectResponse Describe(InspectedObject inspected)
    {
        V1.InspectResponse described = new() { Path = inspected.Path ?? "", NodeId = inspected.NodeId };
        described.Slots.AddRange(
            inspected.Slots.Select(slot => new V1.Slot { OfName = slot.IsOfName, Key = slot.Key, Index = slot.Index }));
        described.Holders.AddRange(inspected.Holders.Select(holder => new V1.Holder
        {
            Guest = holder.Guest,
            Kind = Describe(holder.Kind),
            VersionGiven = holder.VersionGiven,
            VersionNow = holder.VersionNow,
            Stale = holder.IsStale,
            Lookups = (ulong)holder.Lookups,
        }));
        described.Changes.AddRange(inspected.Changes.Select(change => Describe(change.Cause)));
        return described;
    }

    private static V1.Cause Describe(ChangeCause cause) => new()
    {
        Operation = cause.OperationName,
        Actor = Describe(cause.Actor),
        At = Timestamp.FromDateTime(cause.At),
        Path = cause.Path ?? "",
    };

    private static V1.Actor? Describe(ChangeActor actor) => actor.Kind switch
    {
        ChangeActorKind.Client => new V1.Actor { Guest = actor.Name ?? "" },
        ChangeActorKind.Host => new V1.Actor { Host = new V1.HostProcess { Pid = actor.ProcessId, Command = actor.Name ?? "" } },
        ChangeActorKind.Administration => new V1.Actor { Admin = actor.Name ?? "" },
        ChangeActorKind.Daemon => new V1.Actor { Daemon = actor.Name ?? "" },
        _ => null,
    };
}
