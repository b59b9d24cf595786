using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// What a session calls before it replies. Each names the conversation that it answers.
public sealed partial class HeldEntries
{
    /// <summary>Names that are removed with each call, of nodes that were forgotten and had many.</summary>
    private const int SweptPerCall = 16;

    /// <summary>The guest is given an inode by a name, and may forget it once more.</summary>
    /// <param name="fileType">S_IFMT of its mode.</param>
    /// <param name="nameTimeout">How long the guest may believe the name; zero for not at all.</param>
    public void Give(
        object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, NodeId child, uint fileType, TimeSpan nameTimeout,
        TimeSpan attributeTimeout)
    {
        SlotKey slot = SlotKey.Name(KeyOf(parent.Value), name);
        // Among millions of inodes each of these comes from memory: together they take as long as one of them.
        _nodeIndex.Prefetch(HeldNode.HashOf(child.Value));
        _nameIndex.Prefetch((uint)slot.Value);
        HeldStamp ofName = Stamp(slot, start, nameTimeout);
        HeldStamp ofAttributes = Stamp(SlotKey.Inode(KeyOf(child.Value)), start, attributeTimeout);
        using (EnterForRequest())
        {
            _names.Prefetch(_nameIndex.First((uint)slot.Value));
            if (_owner != owner || !TryGiveNode(child.Value, fileType, ofAttributes, out uint number))
            {
                return;
            }

            uint directory = FindNode(parent.Value);
            if (directory != 0)
            {
                SetName(directory, name, (uint)slot.Value, number, ofName);
            }

            Sweep(SweptPerCall);
        }
    }

    /// <summary>The guest is given an inode without a name.</summary>
    public void GiveUnnamed(object owner, in HeldStart start, NodeId node, uint fileType, TimeSpan attributeTimeout)
    {
        HeldStamp stamp = Stamp(SlotKey.Inode(KeyOf(node.Value)), start, attributeTimeout);
        using (EnterForRequest())
        {
            if (_owner == owner)
            {
                TryGiveNode(node.Value, fileType, stamp, out _);
            }
        }
    }

    /// <summary>The guest is told that a name does not exist.</summary>
    public void GiveAbsent(object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, TimeSpan timeout)
    {
        SlotKey slot = SlotKey.Name(KeyOf(parent.Value), name);
        HeldStamp stamp = Stamp(slot, start, timeout);
        using (EnterForRequest())
        {
            uint directory = _owner == owner ? FindNode(parent.Value) : 0;
            if (directory == 0)
            {
                return;
            }

            if (stamp.Given == HeldVersion.None)
            {
                RemoveName(FindName(directory, name, (uint)slot.Value));
            }
            else
            {
                SetName(directory, name, (uint)slot.Value, 0, stamp);
                EvictAbsent();
            }
        }
    }

    /// <summary>The guest is told the attributes of an inode that it knows.</summary>
    public void GiveAttributes(object owner, in HeldStart start, NodeId node, TimeSpan timeout)
    {
        HeldStamp stamp = Stamp(SlotKey.Inode(KeyOf(node.Value)), start, timeout);
        using (EnterForRequest())
        {
            uint number = _owner == owner ? FindNode(node.Value) : 0;
            if (number != 0)
            {
                SetAttributes(ref _nodes[number], stamp);
            }
        }
    }

    /// <summary>The guest is given a symlink's target, or the first part of a directory's listing.</summary>
    public void GiveContent(object owner, in HeldStart start, NodeId node)
    {
        HeldStamp stamp = Stamp(SlotKey.Inode(KeyOf(node.Value)), start, TimeSpan.MaxValue);
        using (EnterForRequest())
        {
            uint number = _owner == owner ? FindNode(node.Value) : 0;
            if (number == 0)
            {
                return;
            }

            if (!TryAddContent(number))
            {
                _unrecorded++;
                return;
            }

            ref HeldContent content = ref ContentOf(number);
            content.Given = stamp.Given;
            content.Sequence = stamp.Sequence;
        }
    }

    /// <summary>The guest gave references back. With the last one goes the inode, and the names that lead to it or are in it.</summary>
    public void Forget(object owner, NodeId node, ulong count)
    {
        using (EnterForRequest())
        {
            uint number = _owner == owner ? FindNode(node.Value) : 0;
            if (number != 0 && number != _root)
            {
                ref HeldNode record = ref _nodes[number];
                record.Lookups -= (uint)Math.Min(count, record.Lookups);
                if (record.Lookups == 0)
                {
                    Drop(number);
                }
            }

            Sweep(SweptPerCall);
        }
    }

    private bool TryGiveNode(ulong node, uint fileType, in HeldStamp attributes, out uint number)
    {
        number = FindNode(node);
        if (number == 0)
        {
            if (IsFull || !_nodes.TryAdd(out number))
            {
                _unrecorded++;
                return false;
            }

            _nodes[number].Node = node;
            _nodes[number].FileType = fileType;
            _nodeIndex.Add(number);
        }

        ref HeldNode record = ref _nodes[number];
        record.Lookups += record.Lookups == uint.MaxValue ? 0 : 1u;
        SetAttributes(ref record, attributes);
        return true;
    }

    private static void SetAttributes(ref HeldNode record, in HeldStamp stamp)
    {
        record.AttributesGiven = stamp.Given;
        record.AttributesSequence = stamp.Sequence;
        record.AttributesExpiry = stamp.Expiry;
    }

    private uint FindNode(ulong node)
    {
        uint number = _nodeIndex.First(HeldNode.HashOf(node));
        while (number != 0 && _nodes[number].Node != node)
        {
            number = _nodeIndex.Next(number);
        }

        return number;
    }
}
