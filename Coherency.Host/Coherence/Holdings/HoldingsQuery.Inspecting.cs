using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

// Everything about one file, directory or name.
public sealed partial class HoldingsQuery
{
    /// <summary>Of one slot.</summary>
    private const int LastChangesMax = 32;

    /// <summary>What is known of a path; null when no guest was told of the directory that it is in.</summary>
    /// <param name="path">Relative to the share, without a slash at the front; empty for its root.</param>
    public InspectedObject? Inspect(string share, string path)
    {
        int slash = path.LastIndexOf('/');
        string directoryPath = slash < 0 ? string.Empty : path[..slash];
        byte[] name = Encoding.UTF8.GetBytes(path[(slash + 1)..]);
        HeldGuest[] guests = GuestsOf(share);
        if (name.Length == 0 || !TryResolve(guests, directoryPath, out NodeId directory))
        {
            return path.Length == 0 ? Inspect(share, NodeId.Root) : null;
        }

        TryResolve(guests, path, out NodeId node);
        return Inspect(guests, path, node, directory, name);
    }

    /// <summary>What is known of an inode; null when no guest holds it.</summary>
    public InspectedObject? Inspect(string share, NodeId node)
    {
        HeldGuest[] guests = GuestsOf(share);
        bool isHeld = guests.Any(guest => guest.Entries.Holds(node));
        string? path = guests.Select(guest => guest.Entries.FindPath(node)).FirstOrDefault(found => found is not null);
        return !isHeld ? null : Inspect(guests, path, node, default, default);
    }

    private static InspectedObject Inspect(HeldGuest[] guests, string? path, NodeId node, NodeId directory, ReadOnlySpan<byte> name)
    {
        List<HolderReport> holders = [];
        List<InspectedSlot> slots = [];
        List<ChangeReport> changes = [];
        foreach (HeldGuest guest in guests)
        {
            List<HeldFinding> findings = [];
            guest.Entries.InspectNode(node, findings, out long lookups);
            if (name.Length > 0)
            {
                guest.Entries.InspectName(directory, name, findings);
            }

            holders.AddRange(findings.Select(finding => new HolderReport(
                guest.Name, finding.Kind, HeldVersion.VersionOf(finding.Given), HeldVersion.VersionOf(finding.Now), finding.IsStale,
                lookups)));
        }

        HeldEntries[] entries = [.. guests.Select(guest => guest.Entries)];
        if (node.Value != 0)
        {
            Add(SlotKey.Inode(entries[0].View.KeyOf(node)), isOfName: false);
        }

        if (name.Length > 0)
        {
            Add(SlotKey.Name(entries[0].View.KeyOf(directory), name), isOfName: true);
        }

        return new InspectedObject(
            path,
            node.Value,
            slots,
            holders,
            [.. changes.DistinctBy(change => change.Sequence).OrderByDescending(change => change.Sequence)]);

        void Add(SlotKey key, bool isOfName)
        {
            slots.Add(new InspectedSlot(isOfName, key.Value, key.Value & ((ulong)entries[0].View.Table.SlotCount - 1)));
            ChangeRecord[] last = new ChangeRecord[LastChangesMax];
            int count = entries[0].Log.ReadLast(key, last);
            changes.AddRange(
                last.Take(count).Select(
                    change => new ChangeReport(change.Sequence, CauseFinder.Describe(change, entries), KeysOf(change))));
        }
    }

    private static bool TryResolve(HeldGuest[] guests, string path, out NodeId node)
    {
        foreach (HeldGuest guest in guests)
        {
            if (guest.Entries.TryResolve(path, out node))
            {
                return true;
            }
        }

        node = default;
        return false;
    }

    private HeldGuest[] GuestsOf(string share) => [.. _guests.Where(guest => guest.Share == share)];
}
