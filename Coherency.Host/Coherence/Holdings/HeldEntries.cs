using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence.Changes;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// What one guest was given and may still hold: names, attributes, targets of symlinks, listings; with the version that each
/// was given with. Guests drop names without a word, so it is an upper bound: what a guest holds is here, and what is here it
/// may have dropped.
/// <para>
/// The version given is that of the slot before the answer was looked up: when another client's change ended since, it is an
/// earlier one. So an answer that may be old counts as stale, as it does to a reader of the table. The guest's own changes move
/// no slot in its view; what they change is recorded here as they are answered.
/// </para>
/// <para>
/// Records are off the managed heap, and one lock guards them, for some 100 ns at a time; nothing here allocates or makes a
/// system call but when the memory has to grow. Thread-safe.
/// </para>
/// </summary>
public sealed partial class HeldEntries : IDisposable
{
    private readonly TableView _view;
    private readonly ChangeLog _log;
    private readonly HeldLimits _limits;
    private readonly ulong _slotMask;
    private readonly NativeRecords<HeldNode> _nodes;
    private readonly NativeRecords<HeldContent> _contents;
    private readonly NativeRecords<HeldName> _names;
    private readonly NumberIndex<HeldNode> _nodeIndex;
    private readonly NumberIndex<HeldName> _nameIndex;
    private readonly NameArena _nameBytes = new();
    private readonly long _createdMs = Environment.TickCount64;

    /// <summary>The conversation that this is about: what an earlier one is answered late is not recorded.</summary>
    private object? _owner;

    private uint _root;
    private long _evictedNames;
    private long _unrecorded;

    /// <param name="view">The guest's own; it follows the group's changes from here on (<see cref="TableView.TryFollow"/>).</param>
    /// <exception cref="InvalidOperationException">The view's group writes no changes down.</exception>
    /// <exception cref="IOException">A change that is under way does not end.</exception>
    public HeldEntries(TableView view, HeldLimits? limits = null)
    {
        _view = view;
        view.Given = this;
        _log = view.Group.Log ?? throw new InvalidOperationException("the group writes no changes down: it needs a ChangeLog");
        _limits = limits ?? new HeldLimits();
        _slotMask = (ulong)view.Table.SlotCount - 1;
        _nodes = new NativeRecords<HeldNode>((uint)_limits.NodesMax);
        _contents = new NativeRecords<HeldContent>(Math.Min((uint)_limits.NodesMax, HeldNode.ContentsEnd - 1));
        _names = new NativeRecords<HeldName>((uint)_limits.NamesMax);
        _nodeIndex = new NumberIndex<HeldNode>(_nodes);
        _nameIndex = new NumberIndex<HeldName>(_names);
        if (!view.TryFollow())
        {
            throw new IOException("a change in the share does not end, is its file system frozen?");
        }
    }

    public TableView View => _view;

    public ChangeLog Log => _log;

    public HeldCounts Counts
    {
        get
        {
            lock (_lock)
            {
                return new HeldCounts(_nodes.Count, _names.Count, _absentCount, _evictedNames, _unrecorded, Bytes);
            }
        }
    }

    private long Bytes => _nodes.Bytes + _contents.Bytes + _names.Bytes + _nodeIndex.Bytes + _nameIndex.Bytes + _nameBytes.Bytes;

    /// <summary>Whoever comes now is counted, not recorded.</summary>
    private bool IsFull => Bytes >= _limits.BytesMax;

    /// <summary>To be called before anything is looked at for an answer.</summary>
    public HeldStart Start()
    {
        // In this order: a move of the epoch is written down before it is made.
        long next = _log.Next;
        return new HeldStart(next, _view.Table.Epoch);
    }

    /// <summary>A conversation begins, or one ends (null): its guest holds nothing.</summary>
    public void Begin(object? owner)
    {
        lock (_lock)
        {
            _owner = owner;
            Clear();
            if (owner is not null && _nodes.TryAdd(out _root))
            {
                ref HeldNode root = ref _nodes[_root];
                root.Node = NodeId.Root.Value;
                root.FileType = StatFlags.S_IFDIR;
                _nodeIndex.Add(_root);
            }
        }
    }

    public void Dispose() => Begin(null);

    private void Clear()
    {
        _nodes.Clear();
        _contents.Clear();
        _names.Clear();
        _nodeIndex.Clear();
        _nameIndex.Clear();
        _nameBytes.Clear();
        _root = _firstAbsent = _lastAbsent = _forgotten = 0;
        _absentCount = _evictedNames = _unrecorded = 0;
    }

    internal ulong KeyOfNode(NodeId node) => KeyOf(node.Value);

    /// <summary>The inode key of a node: its id, but for the root's.</summary>
    private ulong KeyOf(ulong node) => node == NodeId.Root.Value ? _view.Table.RootKey : node;
}
