using Coherency.Core.Fuse;

namespace Coherency.Host.Coherence.Holdings;

// Records of names, each in three places: the index, the list of what it leads to, the list of its directory.
public sealed partial class HeldEntries
{
    /// <summary>Names that do not exist: newest and oldest.</summary>
    private uint _firstAbsent;
    private uint _lastAbsent;
    private long _absentCount;

    /// <summary>Nodes that were forgotten and still have names, by <see cref="HeldNode.Next"/>.</summary>
    private uint _forgotten;

    private uint FindName(uint directory, ReadOnlySpan<byte> name, uint hash)
    {
        uint number = _nameIndex.First(hash);
        while (number != 0)
        {
            ref HeldName record = ref _names[number];
            if (record.Hash == hash && record.Parent == directory && _nameBytes.Read(record.Place).SequenceEqual(name))
            {
                return number;
            }

            number = record.Next;
        }

        return 0;
    }

    /// <summary>Makes a name lead to a node, or to nothing (0), whatever it was before.</summary>
    private void SetName(uint directory, ReadOnlySpan<byte> name, uint hash, uint child, in HeldStamp stamp)
    {
        uint number = FindName(directory, name, hash);
        if (number == 0 && !TryAddName(directory, name, hash, child, out number))
        {
            _unrecorded++;
            return;
        }

        ref HeldName record = ref _names[number];
        if (record.Child != child || record.PreviousOfChild != 0)
        {
            // The last given goes to the front: paths are made of that.
            UnlinkFromChild(number);
            record.Child = child;
            LinkToChild(number);
        }

        record.Given = stamp.Given;
        record.Sequence = stamp.Sequence;
        record.Expiry = stamp.Expiry;
    }

    private bool TryAddName(uint directory, ReadOnlySpan<byte> name, uint hash, uint child, out uint number)
    {
        number = 0;
        // Some file systems have longer names, which a listing brings and nobody can look up.
        if (IsFull || name.Length > EntryName.BytesMax || !TryAddContent(directory) || !_names.TryAdd(out number))
        {
            return false;
        }

        if (!_nameBytes.TryAdd(name, out uint place))
        {
            _names.Remove(number);
            return false;
        }

        ref HeldName record = ref _names[number];
        record.Hash = hash;
        record.Parent = directory;
        record.Child = child;
        record.Place = place;
        _nameIndex.Add(number);
        LinkToChild(number);
        LinkToParent(number);
        return true;
    }

    private void RemoveName(uint number)
    {
        if (number == 0)
        {
            return;
        }

        ref HeldName record = ref _names[number];
        _nameIndex.Remove(number);
        UnlinkFromChild(number);
        UnlinkFromParent(number);
        _nameBytes.Remove(record.Place);
        _names.Remove(number);
    }

    private void EvictAbsent()
    {
        while (_absentCount > _limits.AbsentNamesMax)
        {
            RemoveName(_lastAbsent);
            _evictedNames++;
        }
    }

    /// <summary>Forgets a node at once, and its names as far as they are few; the others with later calls.</summary>
    private void Drop(uint number)
    {
        ref HeldNode record = ref _nodes[number];
        _nodeIndex.Remove(number);
        record.Node = 0;
        record.Next = _forgotten;
        _forgotten = number;
    }

    /// <summary>Removes some names of nodes that were forgotten, and the records of those that have none any more.</summary>
    private void Sweep(int budget)
    {
        while (_forgotten != 0 && budget > 0)
        {
            uint number = _forgotten;
            ref HeldNode record = ref _nodes[number];
            for (; record.FirstName != 0 && budget > 0; budget--)
            {
                RemoveName(record.FirstName);
            }

            for (; FirstChildOf(number) != 0 && budget > 0; budget--)
            {
                RemoveName(FirstChildOf(number));
            }

            if (record.FirstName == 0 && FirstChildOf(number) == 0)
            {
                _forgotten = record.Next;
                Remove(number);
                budget--;
            }
        }
    }

    private void Remove(uint node)
    {
        uint content = _nodes[node].Content;
        if (content != 0)
        {
            _contents.Remove(content);
        }

        _nodes.Remove(node);
    }

    /// <summary>Makes sure that a node has a record of what is inside; false when there is no room for one.</summary>
    private bool TryAddContent(uint node)
    {
        ref HeldNode record = ref _nodes[node];
        if (record.Content == 0 && !IsFull && _contents.TryAdd(out uint number))
        {
            record.Content = number;
        }

        return record.Content != 0;
    }

    private uint FirstChildOf(uint node) => _nodes[node].Content == 0 ? 0 : ContentOf(node).FirstChild;

    /// <summary>Of a node that has one.</summary>
    private ref HeldContent ContentOf(uint node) => ref _contents[_nodes[node].Content];

    private void LinkToChild(uint number)
    {
        ref HeldName record = ref _names[number];
        ref uint first = ref FirstOfChild(record.Child);
        record.NextOfChild = first;
        record.PreviousOfChild = 0;
        if (first != 0)
        {
            _names[first].PreviousOfChild = number;
        }

        first = number;
        if (record.Child == 0)
        {
            _lastAbsent = _lastAbsent == 0 ? number : _lastAbsent;
            _absentCount++;
        }
    }

    private void UnlinkFromChild(uint number)
    {
        ref HeldName record = ref _names[number];
        ref uint before = ref record.PreviousOfChild == 0 ? ref FirstOfChild(record.Child) : ref _names[record.PreviousOfChild].NextOfChild;
        before = record.NextOfChild;
        if (record.NextOfChild != 0)
        {
            _names[record.NextOfChild].PreviousOfChild = record.PreviousOfChild;
        }

        if (record.Child == 0)
        {
            _lastAbsent = _lastAbsent == number ? record.PreviousOfChild : _lastAbsent;
            _absentCount--;
        }
    }

    private void LinkToParent(uint number)
    {
        ref HeldName record = ref _names[number];
        ref uint first = ref ContentOf(record.Parent).FirstChild;
        record.NextOfParent = first;
        if (first != 0)
        {
            _names[first].PreviousOfParent = number;
        }

        first = number;
    }

    private void UnlinkFromParent(uint number)
    {
        ref HeldName record = ref _names[number];
        ref uint before = ref record.PreviousOfParent == 0
            ? ref ContentOf(record.Parent).FirstChild
            : ref _names[record.PreviousOfParent].NextOfParent;
        before = record.NextOfParent;
        if (record.NextOfParent != 0)
        {
            _names[record.NextOfParent].PreviousOfParent = record.PreviousOfParent;
        }
    }

    private ref uint FirstOfChild(uint child) => ref child == 0 ? ref _firstAbsent : ref _nodes[child].FirstName;
}
