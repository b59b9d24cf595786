using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Records of inodes and names, by numbers; 0 is none. Each name is in three places: the index, the list of what it leads to, the
/// list of its directory. Off the managed heap; nothing here allocates or makes a system call but when the memory has to grow. Not
/// thread-safe: <see cref="HeldEntries"/> has the lock.
/// </summary>
internal sealed class HeldRecords : IDisposable
{
    private readonly HeldLimits _limits;
    private readonly NativeRecords<HeldNode> _nodes;
    private readonly NativeRecords<HeldContent> _contents;
    private readonly NativeRecords<HeldName> _names;
    private readonly NumberIndex<HeldNode> _nodeIndex;
    private readonly NumberIndex<HeldName> _nameIndex;
    private readonly NameArena _nameBytes = new();
    private long _unrecorded;
    private long _evictedNames;

    /// <summary>Names that do not exist: newest and oldest.</summary>
    private uint _firstAbsent;
    private uint _lastAbsent;
    private long _absentCount;

    /// <summary>Nodes that were forgotten and still have names, by <see cref="HeldNode.Next"/>.</summary>
    private uint _forgotten;

    public HeldRecords(HeldLimits limits)
    {
        _limits = limits;
        _nodes = new NativeRecords<HeldNode>((uint)limits.NodesMax);
        _contents = new NativeRecords<HeldContent>(Math.Min((uint)limits.NodesMax, HeldNode.ContentsEnd - 1));
        _names = new NativeRecords<HeldName>((uint)limits.NamesMax);
        _nodeIndex = new NumberIndex<HeldNode>(_nodes);
        _nameIndex = new NumberIndex<HeldName>(_names);
    }

    /// <summary>The share's root, as soon as there is somebody to hold it.</summary>
    public uint Root { get; private set; }

    public HeldCounts Counts => new(_nodes.Count, _names.Count, _absentCount, _evictedNames, _unrecorded, Bytes);

    /// <summary>No inode has a number that is as high as this.</summary>
    public uint NodesEnd => _nodes.End;

    /// <summary>No name has a number that is as high as this.</summary>
    public uint NamesEnd => _names.End;

    private long Bytes => _nodes.Bytes + _contents.Bytes + _names.Bytes + _nodeIndex.Bytes + _nameIndex.Bytes + _nameBytes.Bytes;

    /// <summary>Whoever comes now is counted, not recorded.</summary>
    private bool IsFull => Bytes >= _limits.BytesMax;

    public ref HeldNode Node(uint number) => ref _nodes[number];

    public ref HeldName Name(uint number) => ref _names[number];

    public ReadOnlySpan<byte> BytesOf(in HeldName name) => _nameBytes.Read(name.Place);

    /// <summary>Of a node that has one.</summary>
    public ref HeldContent ContentOf(in HeldNode node) => ref _contents[node.Content];

    /// <summary>Begins to fetch what will be looked for: a hint, which needs no lock.</summary>
    public void Prefetch(NodeId node, uint nameHash)
    {
        _nodeIndex.Prefetch(HeldNode.HashOf(node.Value));
        _nameIndex.Prefetch(nameHash);
    }

    public void PrefetchName(uint hash) => _names.Prefetch(_nameIndex.First(hash));

    /// <summary>Gives all memory back.</summary>
    public void Clear()
    {
        _nodes.Clear();
        _contents.Clear();
        _names.Clear();
        _nodeIndex.Clear();
        _nameIndex.Clear();
        _nameBytes.Clear();
        Root = _firstAbsent = _lastAbsent = _forgotten = 0;
        _absentCount = _evictedNames = _unrecorded = 0;
    }

    public void Dispose() => Clear();

    public void AddRoot()
    {
        if (_nodes.TryAdd(out uint number))
        {
            ref HeldNode root = ref _nodes[number];
            root.Node = NodeId.Root.Value;
            root.FileType = StatFlags.S_IFDIR;
            _nodeIndex.Add(number);
            Root = number;
        }
    }

    /// <summary>Counts one more reference to a node; false when there is no room for it.</summary>
    public bool TryGiveNode(ulong node, uint fileType, in HeldStamp attributes, out uint number)
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
        record.SetAttributes(attributes);
        return true;
    }

    public uint FindNode(ulong node)
    {
        uint number = _nodeIndex.First(HeldNode.HashOf(node));
        while (number != 0 && _nodes[number].Node != node)
        {
            number = _nodeIndex.Next(number);
        }

        return number;
    }

    /// <summary>Records what a node was given of its inside.</summary>
    public void GiveContent(uint node, in HeldStamp stamp)
    {
        if (!TryAddContent(node))
        {
            _unrecorded++;
            return;
        }

        ref HeldContent content = ref ContentOf(_nodes[node]);
        content.Given = stamp.Given;
        content.Sequence = stamp.Sequence;
    }

    /// <summary>Records that the guest has dropped what it knew of a node itself.</summary>
    public void GiveUp(uint node)
    {
        if (node == 0)
        {
            return;
        }

        _nodes[node].AttributesGiven = HeldVersion.None;
        if (_nodes[node].Content != 0)
        {
            ContentOf(_nodes[node]).Given = HeldVersion.None;
        }
    }

    public uint FindName(uint directory, ReadOnlySpan<byte> name, uint hash)
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
    public void SetName(uint directory, ReadOnlySpan<byte> name, uint hash, uint child, in HeldStamp stamp)
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

    public void RemoveName(uint number)
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

    public void EvictAbsent()
    {
        while (_absentCount > _limits.AbsentNamesMax)
        {
            RemoveName(_lastAbsent);
            _evictedNames++;
        }
    }

    /// <summary>Forgets a node at once, and its names as far as they are few; the others with later calls.</summary>
    public void Drop(uint number)
    {
        ref HeldNode record = ref _nodes[number];
        _nodeIndex.Remove(number);
        record.Node = 0;
        record.Next = _forgotten;
        _forgotten = number;
    }

    /// <summary>Removes some names of nodes that were forgotten, and the records of those that have none any more.</summary>
    public void Sweep(int budget)
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
                RemoveNode(number);
                budget--;
            }
        }
    }

    private void RemoveNode(uint node)
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

    private uint FirstChildOf(uint node) => _nodes[node].Content == 0 ? 0 : ContentOf(_nodes[node]).FirstChild;

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
        ref uint first = ref ContentOf(_nodes[record.Parent]).FirstChild;
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
            ? ref ContentOf(_nodes[record.Parent]).FirstChild
            : ref _names[record.PreviousOfParent].NextOfParent;
        before = record.NextOfParent;
        if (record.NextOfParent != 0)
        {
            _names[record.NextOfParent].PreviousOfParent = record.PreviousOfParent;
        }
    }

    private ref uint FirstOfChild(uint child) => ref child == 0 ? ref _firstAbsent : ref _nodes[child].FirstName;
}
