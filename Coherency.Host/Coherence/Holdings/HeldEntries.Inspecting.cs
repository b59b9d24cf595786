using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// Everything that is known of one inode or name.
public sealed partial class HeldEntries
{
    /// <summary>
    /// The inode that a path led to as the guest was last told; false when it does not know, or knows that there is none.
    /// </summary>
    internal bool TryResolve(string path, out NodeId node)
    {
        lock (_lock)
        {
            uint number = Resolve(Encoding.UTF8.GetBytes(path));
            node = new NodeId(number == 0 ? 0 : _nodes[number].Node);
            return number != 0;
        }
    }

    /// <summary>Was the guest given an inode that it has not forgotten?</summary>
    internal bool Holds(NodeId node)
    {
        lock (_lock)
        {
            return FindNode(node.Value) != 0;
        }
    }

    /// <summary>Adds how the guest holds an inode.</summary>
    internal void InspectNode(NodeId node, List<HeldFinding> findings, out long lookups)
    {
        lock (_lock)
        {
            uint number = FindNode(node.Value);
            lookups = number == 0 ? 0 : _nodes[number].Lookups;
            if (number != 0)
            {
                HeldScan scan = new();
                ScanHeld(scan, HeldPhase.Attributes, number);
                ScanHeld(scan, HeldPhase.Contents, number);
                findings.AddRange(scan.Findings);
            }
        }
    }

    /// <summary>Adds how the guest holds a name.</summary>
    internal void InspectName(NodeId directory, ReadOnlySpan<byte> name, List<HeldFinding> findings)
    {
        lock (_lock)
        {
            uint parent = FindNode(directory.Value);
            uint number = parent == 0 ? 0 : FindName(parent, name, (uint)SlotKey.Name(KeyOf(directory.Value), name).Value);
            if (number != 0 && IsHeld(_names[number].Given, _names[number].Expiry))
            {
                HeldScan scan = new();
                ScanName(scan, _names[number].Child == 0 ? HeldKind.AbsentName : HeldKind.Name, _names[number]);
                findings.AddRange(scan.Findings);
            }
        }
    }

    private void ScanHeld(HeldScan scan, HeldPhase phase, uint number) => ScanNodes(scan, phase, number, number + 1);
}
