using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

// The name of an inode, for whoever tells of a change that says none.
public sealed partial class HeldEntries : IGivenNames
{
    public bool TryFindName(NodeId node, Span<byte> name, out int length, out ulong directory)
    {
        length = 0;
        directory = 0;
        using (EnterForRequest())
        {
            uint number = FindNode(node.Value);
            number = number == 0 ? 0 : NameWithDirectory(number);
            if (number == 0)
            {
                return false;
            }

            ref HeldName record = ref _names[number];
            ReadOnlySpan<byte> bytes = _nameBytes.Read(record.Place);
            bytes.CopyTo(name);
            length = bytes.Length;
            directory = KeyOf(_nodes[record.Parent].Node);
            return record.Given != HeldVersion.None && VersionNow(new SlotKey(record.Hash)) == record.Given;
        }
    }
}
