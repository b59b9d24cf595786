using System.Collections.Concurrent;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Coherence;

/// <summary>
/// Names, attributes, links and directory lists of a share, cached for ever and never stale: the reference reader of the
/// version table (docs/version-table.md). What is cached and unchanged costs no request. Thread-safe; errors of the daemon are
/// <see cref="FuseException"/>. Changes must be made through it too, for the daemon tells a guest nothing of its own.
/// </summary>
/// <example>
/// <code>
/// using VirtioFsGuest guest = VirtioFsGuest.Connect("/run/a.sock");
/// using VersionTableReader table = VersionTableReader.Open("/run/a.sock.table");
/// using CoherentCache cache = CoherentCache.Attach(guest.Fuse, table);
/// NodeId? file = cache.Lookup(NodeId.Root, "file.txt");     // a request
/// file = cache.Lookup(NodeId.Root, "file.txt");             // none, until somebody else changes the name
/// </code>
/// </example>
public sealed class CoherentCache : IDisposable
{
    private readonly FuseClient _fuse;
    private readonly TableWatch _table;
    private readonly DirectoryLocks _directories = new();
    private readonly ConcurrentDictionary<(NodeId Parent, string Name), Cached<NodeId>> _entries = new();
    private readonly ConcurrentDictionary<NodeId, Cached<fuse_attr>> _attributes = new();
    private readonly ConcurrentDictionary<NodeId, string> _links = new();
    private readonly ConcurrentDictionary<NodeId, Cached<IReadOnlyList<string>>> _lists = new();
    private readonly ConcurrentDictionary<NodeId, ulong> _references = new();
    private long _hits;
    private long _misses;

    private CoherentCache(FuseClient fuse, TableWatch table)
    {
        _fuse = fuse;
        _table = table;
    }

    /// <summary>An answer, and the state of its slots from before it was asked for.</summary>
    private sealed record Cached<T>(T Value, WatchSample Sample);

    /// <summary>Answers that cost no request.</summary>
    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Answers that had to be asked for.</summary>
    public long Misses => Interlocked.Read(ref _misses);

    /// <summary>Tells the daemon that this session consults the table, and makes sure that it is the right one.</summary>
    /// <param name="table">Stays the caller's.</param>
    /// <param name="withoutOpens">Offer the daemon to open nothing.</param>
    /// <exception cref="VersionTableException">The table is not the one that the daemon moves for this session.</exception>
    /// <exception cref="FuseException">ENODATA: the daemon does not serve this guest coherently.</exception>
    public static CoherentCache Attach(FuseClient fuse, VersionTableReader table, bool withoutOpens = true)
    {
        AttachHandshake.Perform(fuse, table, withoutOpens);
        return new CoherentCache(fuse, new TableWatch(table));
    }

    /// <summary>The inode behind a name; null when there is none, which is cached too.</summary>
    public NodeId? Lookup(NodeId parent, string name)
    {
        if (TryUse(_entries, (parent, name), NameSlot(parent, name), out NodeId known))
        {
            return ToNullable(known);
        }

        using SharedDirectoryLock directory = _directories.EnterShared(parent);
        return AskForName(parent, name);
    }

    public fuse_attr GetAttributes(NodeId node)
    {
        SlotKey slot = InodeSlot(node);
        if (TryUse(_attributes, node, slot, out fuse_attr known))
        {
            return known;
        }

        WatchSample sample = _table.Sample(slot);
        fuse_attr_out answer = _fuse.GetAttr(node);
        Keep(_attributes, node, answer.attr, sample, answer.attr_valid);
        return answer.attr;
    }

    /// <summary>A link's target, which never changes: another target is another inode.</summary>
    public string ReadLink(NodeId node)
    {
        if (_links.TryGetValue(node, out string? known))
        {
            Interlocked.Increment(ref _hits);
            return known;
        }

        Interlocked.Increment(ref _misses);
        string target = Encoding.UTF8.GetString(_fuse.ReadLink(node));
        return node.IsDisplaced ? target : _links.GetOrAdd(node, target);
    }

    /// <summary>Names in a directory, without "." and "..", in the daemon's order.</summary>
    public IReadOnlyList<string> List(NodeId directory)
    {
        SlotKey slot = InodeSlot(directory);
        if (TryUse(_lists, directory, slot, out IReadOnlyList<string>? known))
        {
            return known!;
        }

        using SharedDirectoryLock unchanged = _directories.EnterShared(directory);
        WatchSample sample = _table.Sample(slot);
        List<string> names = [];
        using (OpenedDirectory opened = new(_fuse, directory))
        {
            ulong offset = 0;
            while (_fuse.ReadDir(directory, opened.Handle, offset) is { Count: > 0 } records)
            {
                names.AddRange(records.Where(record => !record.IsDotOrDotDot).Select(record => record.Name));
                offset = records[^1].NextOffset;
            }
        }

        if (!directory.IsDisplaced && sample.Counts)
        {
            _lists[directory] = new Cached<IReadOnlyList<string>>(names, sample);
        }

        return names;
    }

    /// <summary>Makes an empty file.</summary>
    public NodeId CreateFile(NodeId parent, string name, uint mode = 0x1B6)
    {
        using ExclusiveDirectoryLock directory = _directories.EnterExclusive(parent);
        using OwnChange change = _table.BeginOwnChange([NameSlot(parent, name), InodeSlot(parent)]);
        return HoldNew(_fuse.MkNod(parent, Encoding.UTF8.GetBytes(name), StatFlags.S_IFREG | mode));
    }

    public NodeId CreateDirectory(NodeId parent, string name, uint mode = 0x1FF)
    {
        using ExclusiveDirectoryLock directory = _directories.EnterExclusive(parent);
        using OwnChange change = _table.BeginOwnChange([NameSlot(parent, name), InodeSlot(parent)]);
        return HoldNew(_fuse.MkDir(parent, Encoding.UTF8.GetBytes(name), mode));
    }

    public NodeId CreateSymlink(NodeId parent, string name, string target)
    {
        using ExclusiveDirectoryLock directory = _directories.EnterExclusive(parent);
        using OwnChange change = _table.BeginOwnChange([NameSlot(parent, name), InodeSlot(parent)]);
        return HoldNew(_fuse.Symlink(parent, Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(target)));
    }

    public void Link(NodeId node, NodeId parent, string name)
    {
        using ExclusiveDirectoryLock directory = _directories.EnterExclusive(parent);
        using OwnChange change = _table.BeginOwnChange([NameSlot(parent, name), InodeSlot(parent), InodeSlot(node)]);
        HoldNew(_fuse.Link(node, parent, Encoding.UTF8.GetBytes(name)));
    }

    public void DeleteFile(NodeId parent, string name) => Delete(parent, name, _fuse.Unlink);

    public void DeleteDirectory(NodeId parent, string name) => Delete(parent, name, _fuse.RmDir);

    /// <param name="flags">As renameat2(2) takes them.</param>
    public void Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags = 0)
    {
        using ExclusiveDirectoryLock directories = _directories.EnterExclusive(parent, newParent);
        SlotKey from = NameSlot(parent, name);
        SlotKey to = NameSlot(newParent, newName);
        WatchSample fromBefore = _table.Sample(from);
        WatchSample toBefore = _table.Sample(to);
        NodeId? moved = Find(parent, name);
        NodeId? replaced = Find(newParent, newName);
        using OwnChange change = _table.BeginOwnChange(
            [from, to, InodeSlot(parent), InodeSlot(newParent), InodeSlot(moved ?? parent), InodeSlot(replaced ?? parent)]);
        _fuse.Rename2(parent, Encoding.UTF8.GetBytes(name), newParent, Encoding.UTF8.GetBytes(newName), flags);
        _table.ConfirmOwnChange(from, fromBefore);
        _table.ConfirmOwnChange(to, toBefore);
    }

    public void SetAttributes(NodeId node, in fuse_setattr_in wanted)
    {
        using OwnChange change = _table.BeginOwnChange([InodeSlot(node)]);
        _fuse.SetAttr(node, wanted);
    }

    /// <summary>Gives everything back, and tells the daemon that nobody consults the table any more, if it is still there.</summary>
    public void Dispose()
    {
        _table.Dispose();
        try
        {
            AttachHandshake.End(_fuse);
            foreach ((NodeId node, ulong count) in _references)
            {
                _fuse.Forget(node, count);
            }
        }
        catch (Exception gone) when (gone is DeviceGoneException or FuseException or ObjectDisposedException)
        {
            // With the daemon, or with the session, went all that there was to give back.
        }

        _directories.Dispose();
    }

    private delegate void Removal(NodeId parent, ReadOnlySpan<byte> name);

    private void Delete(NodeId parent, string name, Removal remove)
    {
        using ExclusiveDirectoryLock directory = _directories.EnterExclusive(parent);
        SlotKey slot = NameSlot(parent, name);
        WatchSample before = _table.Sample(slot);
        NodeId? removed = Find(parent, name);
        using OwnChange change = _table.BeginOwnChange([slot, InodeSlot(parent), InodeSlot(removed ?? parent)]);
        remove(parent, Encoding.UTF8.GetBytes(name));
        _table.ConfirmOwnChange(slot, before);
    }

    /// <summary>Like <see cref="Lookup"/>, with the directory locked already.</summary>
    private NodeId? Find(NodeId parent, string name) =>
        TryUse(_entries, (parent, name), NameSlot(parent, name), out NodeId known) ? ToNullable(known) : AskForName(parent, name);

    private NodeId? AskForName(NodeId parent, string name)
    {
        WatchSample sample = _table.Sample(NameSlot(parent, name));
        ulong mutations = _table.Mutations;
        NodeId found = default;
        try
        {
            fuse_entry_out entry = _fuse.Lookup(parent, Encoding.UTF8.GetBytes(name));
            found = new NodeId(entry.nodeid);
            if (found != default)
            {
                Hold(found);
                KeepAnswered(found, entry, mutations);
            }

            Keep(_entries, (parent, name), found, sample, entry.entry_valid);
        }
        catch (FuseException absent) when (absent.Errno == Errno.ENOENT)
        {
            // Not given with a time to believe it for: not to be cached.
        }

        return ToNullable(found);
    }

    private bool TryUse<TKey, T>(ConcurrentDictionary<TKey, Cached<T>> cache, TKey key, SlotKey slot, out T? value)
        where TKey : notnull
    {
        if (cache.TryGetValue(key, out Cached<T>? cached) && _table.IsCurrent(slot, cached.Sample))
        {
            Interlocked.Increment(ref _hits);
            value = cached.Value;
            return true;
        }

        Interlocked.Increment(ref _misses);
        value = default;
        return false;
    }

    /// <param name="validSeconds">As the daemon said; 0 for what no slot governs.</param>
    private static void Keep<TKey, T>(
        ConcurrentDictionary<TKey, Cached<T>> cache, TKey key, T value, WatchSample sample, ulong validSeconds)
        where TKey : notnull
    {
        if (sample.Counts && validSeconds > 0)
        {
            cache[key] = new Cached<T>(value, sample);
        }
    }

    /// <summary>Attributes that came with a name: of an inode whose slot could not be looked at before.</summary>
    private void KeepAnswered(NodeId node, in fuse_entry_out entry, ulong mutations) =>
        Keep(_attributes, node, entry.attr, _table.SampleAnswered(InodeSlot(node), mutations), entry.attr_valid);

    private NodeId HoldNew(in fuse_entry_out entry)
    {
        NodeId node = new(entry.nodeid);
        Hold(node);
        return node;
    }

    private void Hold(NodeId node) => _references.AddOrUpdate(node, 1, static (_, count) => count + 1);

    private SlotKey NameSlot(NodeId parent, string name) => SlotKey.Name(KeyOf(parent), Encoding.UTF8.GetBytes(name));

    private SlotKey InodeSlot(NodeId node) => SlotKey.Inode(KeyOf(node));

    private ulong KeyOf(NodeId node) => node == NodeId.Root ? _table.RootKey : node.Value;

    private static NodeId? ToNullable(NodeId node) => node == default ? null : node;
}
