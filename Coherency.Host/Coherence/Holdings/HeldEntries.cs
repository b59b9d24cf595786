using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
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
/// One lock guards the records, for some 100 ns at a time. What requests call names the conversation that they belong to. Thread-safe.
/// </para>
/// </summary>
public sealed class HeldEntries : IGivenNames, IDisposable
{
    /// <summary>Names that are removed with each call, of nodes that were forgotten and had many.</summary>
    private const int SweptPerCall = 16;

    private readonly TableView _view;
    private readonly RequestsFirstLock _lock = new();
    private readonly HeldRecords _records;
    private readonly HeldPaths _paths;
    private readonly HeldStamps _stamps;
    private readonly HeldScanner _scanner;

    /// <summary>The conversation that this is about: what an earlier one is answered late is not recorded.</summary>
    private object? _owner;

    /// <param name="view">The guest's own; it follows the group's changes from here on (<see cref="TableView.TryFollow"/>).</param>
    /// <exception cref="InvalidOperationException">The view's group writes no changes down.</exception>
    /// <exception cref="IOException">A change that is under way does not end.</exception>
    public HeldEntries(TableView view, HeldLimits? limits = null)
    {
        _view = view;
        view.Given = this;
        _records = new HeldRecords(limits ?? new HeldLimits());
        _paths = new HeldPaths(_records, view);
        _stamps = new HeldStamps(view);
        _scanner = new HeldScanner(_records, _paths, _stamps, view, _lock);
        if (!view.TryFollow())
        {
            throw new IOException("a change in the share does not end, is its file system frozen?");
        }
    }

    public TableView View => _view;

    public ChangeLog Log => _stamps.Log;

    public HeldCounts Counts
    {
        get
        {
            using (_lock.EnterForQuery())
            {
                return _records.Counts;
            }
        }
    }

    /// <summary>To be called before anything is looked at for an answer.</summary>
    public HeldStart Start() => _stamps.Start();

    /// <summary>A conversation begins, or one ends (null): its guest holds nothing.</summary>
    public void Begin(object? owner)
    {
        using (_lock.EnterForQuery())
        {
            _owner = owner;
            _records.Clear();
            if (owner is not null)
            {
                _records.AddRoot();
            }
        }
    }

    public void Dispose()
    {
        using (_lock.EnterForQuery())
        {
            _owner = null;
            _records.Dispose();
        }
    }

    /// <summary>The guest is given an inode by a name, and may forget it once more.</summary>
    /// <param name="fileType">S_IFMT of its mode.</param>
    /// <param name="nameTimeout">How long the guest may believe the name; zero for not at all.</param>
    public void Give(
        object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, NodeId child, uint fileType, TimeSpan nameTimeout,
        TimeSpan attributeTimeout)
    {
        SlotKey slot = SlotKey.Name(_view.KeyOf(parent), name);
        // Among millions of inodes each of these comes from memory: together they take as long as one of them.
        _records.Prefetch(child, (uint)slot.Value);
        HeldStamp ofName = _stamps.Stamp(slot, start, nameTimeout);
        HeldStamp ofAttributes = _stamps.Stamp(SlotKey.Inode(_view.KeyOf(child)), start, attributeTimeout);
        using (_lock.EnterForRequest())
        {
            _records.PrefetchName((uint)slot.Value);
            if (_owner != owner || !_records.TryGiveNode(child.Value, fileType, ofAttributes, out uint number))
            {
                return;
            }

            uint directory = _records.FindNode(parent.Value);
            if (directory != 0)
            {
                _records.SetName(directory, name, (uint)slot.Value, number, ofName);
            }

            _records.Sweep(SweptPerCall);
        }
    }

    /// <summary>The guest is given an inode without a name.</summary>
    public void GiveUnnamed(object owner, in HeldStart start, NodeId node, uint fileType, TimeSpan attributeTimeout)
    {
        HeldStamp stamp = _stamps.Stamp(SlotKey.Inode(_view.KeyOf(node)), start, attributeTimeout);
        using (_lock.EnterForRequest())
        {
            if (_owner == owner)
            {
                _records.TryGiveNode(node.Value, fileType, stamp, out _);
            }
        }
    }

    /// <summary>The guest is told that a name does not exist.</summary>
    public void GiveAbsent(object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, TimeSpan timeout)
    {
        SlotKey slot = SlotKey.Name(_view.KeyOf(parent), name);
        HeldStamp stamp = _stamps.Stamp(slot, start, timeout);
        using (_lock.EnterForRequest())
        {
            uint directory = _owner == owner ? _records.FindNode(parent.Value) : 0;
            if (directory == 0)
            {
                return;
            }

            if (stamp.Given == HeldVersion.None)
            {
                _records.RemoveName(_records.FindName(directory, name, (uint)slot.Value));
            }
            else
            {
                _records.SetName(directory, name, (uint)slot.Value, 0, stamp);
                _records.EvictAbsent();
            }
        }
    }

    /// <summary>The guest is told the attributes of an inode that it knows.</summary>
    public void GiveAttributes(object owner, in HeldStart start, NodeId node, TimeSpan timeout)
    {
        HeldStamp stamp = _stamps.Stamp(SlotKey.Inode(_view.KeyOf(node)), start, timeout);
        using (_lock.EnterForRequest())
        {
            uint number = _owner == owner ? _records.FindNode(node.Value) : 0;
            if (number != 0)
            {
                _records.Node(number).SetAttributes(stamp);
            }
        }
    }

    /// <summary>The guest is given a symlink's target, or the first part of a directory's listing.</summary>
    public void GiveContent(object owner, in HeldStart start, NodeId node)
    {
        HeldStamp stamp = _stamps.Stamp(SlotKey.Inode(_view.KeyOf(node)), start, TimeSpan.MaxValue);
        using (_lock.EnterForRequest())
        {
            uint number = _owner == owner ? _records.FindNode(node.Value) : 0;
            if (number != 0)
            {
                _records.GiveContent(number, stamp);
            }
        }
    }

    /// <summary>The guest gave references back. With the last one goes the inode, and the names that lead to it or are in it.</summary>
    public void Forget(object owner, NodeId node, ulong count)
    {
        using (_lock.EnterForRequest())
        {
            uint number = _owner == owner ? _records.FindNode(node.Value) : 0;
            if (number != 0 && number != _records.Root)
            {
                ref HeldNode record = ref _records.Node(number);
                record.Lookups -= (uint)Math.Min(count, record.Lookups);
                if (record.Lookups == 0)
                {
                    _records.Drop(number);
                }
            }

            _records.Sweep(SweptPerCall);
        }
    }

    // Changes that the guest makes itself: no slot of its view tells of them.

    /// <summary>The guest has made a name: what it knew of the directory itself, it has given up.</summary>
    public void ChangedDirectory(object owner, NodeId directory)
    {
        using (_lock.EnterForRequest())
        {
            if (_owner == owner)
            {
                GiveUp(directory);
            }
        }
    }

    /// <summary>The guest has removed a name.</summary>
    public void Removed(object owner, NodeId parent, ReadOnlySpan<byte> name)
    {
        SlotKey slot = SlotKey.Name(_view.KeyOf(parent), name);
        using (_lock.EnterForRequest())
        {
            uint directory = _owner == owner ? _records.FindNode(parent.Value) : 0;
            if (directory != 0)
            {
                _records.RemoveName(_records.FindName(directory, name, (uint)slot.Value));
                GiveUp(parent);
            }
        }
    }

    /// <summary>
    /// The guest has renamed something. The new name is governed by its own slot, and was not asked for: so its version is
    /// that from before the change.
    /// </summary>
    /// <param name="exchanges">The two names have changed places.</param>
    public void Renamed(
        object owner, in HeldStart start, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        bool exchanges)
    {
        TimeSpan forEver = TimeSpan.MaxValue;
        SlotKey slot = SlotKey.Name(_view.KeyOf(parent), name);
        SlotKey newSlot = SlotKey.Name(_view.KeyOf(newParent), newName);
        HeldStamp stamp = exchanges ? _stamps.Stamp(slot, start, forEver) : HeldStamp.NotKept;
        HeldStamp newStamp = _stamps.Stamp(newSlot, start, forEver);
        using (_lock.EnterForRequest())
        {
            uint directory = _owner == owner ? _records.FindNode(parent.Value) : 0;
            uint newDirectory = _owner == owner ? _records.FindNode(newParent.Value) : 0;
            MovedName moved = Take(directory, name, (uint)slot.Value);
            MovedName replaced = Take(newDirectory, newName, (uint)newSlot.Value);
            Put(newDirectory, newName, (uint)newSlot.Value, moved, newStamp);
            if (exchanges)
            {
                Put(directory, name, (uint)slot.Value, replaced, stamp);
            }

            GiveUp(parent);
            GiveUp(newParent);
        }
    }

    /// <inheritdoc/>
    public bool TryFindName(NodeId node, Span<byte> name, out int length, out ulong directory)
    {
        length = 0;
        directory = 0;
        using (_lock.EnterForRequest())
        {
            uint number = _records.FindNode(node.Value);
            number = number == 0 ? 0 : _paths.NameWithDirectory(number);
            if (number == 0)
            {
                return false;
            }

            ref HeldName record = ref _records.Name(number);
            ReadOnlySpan<byte> bytes = _records.BytesOf(record);
            bytes.CopyTo(name);
            length = bytes.Length;
            directory = _view.KeyOf(new NodeId(_records.Node(record.Parent).Node));
            return record.Given != HeldVersion.None && _stamps.VersionNow(new SlotKey(record.Hash)) == record.Given;
        }
    }

    /// <summary>The path of a node, relative to the share, empty for its root; null when the guest was given none.</summary>
    public string? FindPath(NodeId node) => FindPath(node, default);

    /// <summary>The path of a name in a directory; null when the guest was given none for the directory.</summary>
    public string? FindPath(NodeId directory, ReadOnlySpan<byte> name)
    {
        using (_lock.EnterForQuery())
        {
            uint number = _records.FindNode(directory.Value);
            return number == 0 ? null : _paths.PathOf(number, name);
        }
    }

    /// <summary>Takes one more turn of a scan.</summary>
    /// <returns>False when the scan is at its end.</returns>
    internal bool Scan(HeldScan scan)
    {
        using (_lock.EnterForQuery())
        {
            return _scanner.Scan(scan);
        }
    }

    /// <summary>Between two turns of a query.</summary>
    internal void LetRequestsPass() => _lock.LetRequestsPass();

    /// <summary>
    /// The inode that a path led to as the guest was last told; false when it does not know, or knows that there is none.
    /// </summary>
    internal bool TryResolve(string path, out NodeId node)
    {
        using (_lock.EnterForQuery())
        {
            uint number = _paths.Resolve(Encoding.UTF8.GetBytes(path));
            node = new NodeId(number == 0 ? 0 : _records.Node(number).Node);
            return number != 0;
        }
    }

    /// <summary>Was the guest given an inode that it has not forgotten?</summary>
    internal bool Holds(NodeId node)
    {
        using (_lock.EnterForQuery())
        {
            return _records.FindNode(node.Value) != 0;
        }
    }

    /// <summary>Adds how the guest holds an inode.</summary>
    internal void InspectNode(NodeId node, List<HeldFinding> findings, out long lookups)
    {
        using (_lock.EnterForQuery())
        {
            uint number = _records.FindNode(node.Value);
            lookups = number == 0 ? 0 : _records.Node(number).Lookups;
            if (number != 0)
            {
                HeldScan scan = new();
                _scanner.ScanNodes(scan, HeldPhase.Attributes, number, number + 1);
                _scanner.ScanNodes(scan, HeldPhase.Contents, number, number + 1);
                findings.AddRange(scan.Findings);
            }
        }
    }

    /// <summary>Adds how the guest holds a name.</summary>
    internal void InspectName(NodeId directory, ReadOnlySpan<byte> name, List<HeldFinding> findings)
    {
        using (_lock.EnterForQuery())
        {
            uint parent = _records.FindNode(directory.Value);
            uint number = parent == 0 ? 0 : _records.FindName(parent, name, (uint)SlotKey.Name(_view.KeyOf(directory), name).Value);
            if (number != 0 && _stamps.IsHeld(_records.Name(number).Given, _records.Name(number).Expiry))
            {
                HeldScan scan = new();
                _scanner.ScanName(scan, _records.Name(number).Child == 0 ? HeldKind.AbsentName : HeldKind.Name, _records.Name(number));
                findings.AddRange(scan.Findings);
            }
        }
    }

    /// <summary>Removes a name, and says what it was.</summary>
    private MovedName Take(uint directory, ReadOnlySpan<byte> name, uint hash)
    {
        uint number = directory == 0 ? 0 : _records.FindName(directory, name, hash);
        if (number == 0)
        {
            return default;
        }

        MovedName taken = new(_records.Name(number).Child, _records.Name(number).Given != HeldVersion.None, _records.Name(number).Expiry);
        _records.RemoveName(number);
        return taken;
    }

    private void Put(uint directory, ReadOnlySpan<byte> name, uint hash, in MovedName moved, in HeldStamp stamp)
    {
        if (directory != 0 && moved.Child != 0)
        {
            _records.SetName(directory, name, hash, moved.Child, moved.IsHeld ? stamp with { Expiry = moved.Expiry } : HeldStamp.NotKept);
        }
    }

    private void GiveUp(NodeId directory)
    {
        uint number = _records.FindNode(directory.Value);
        if (number != 0)
        {
            _records.GiveUp(number);
        }
    }

    private readonly record struct MovedName(uint Child, bool IsHeld, uint Expiry);
}
