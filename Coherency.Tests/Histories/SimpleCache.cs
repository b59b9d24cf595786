using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Fuse;

namespace Coherency.Tests.Histories;

/// <summary>
/// The smallest cache of a guest, for one thread, with a rule to choose: shows that the checker finds what a wrong rule does,
/// and nothing with a right one. After a change of its own it forgets everything, unless told to be wrong there.
/// </summary>
internal sealed class SimpleCache : ITreeClient
{
    private readonly VirtioFsGuest _guest;
    private readonly VersionTableReader? _table;
    private readonly CachingRule _rule;
    private readonly bool _forgetsAfterChange = true;
    private readonly Dictionary<(NodeId Parent, string Name), (NodeId Node, object Kept)> _entries = [];
    private readonly Dictionary<NodeId, (fuse_attr Attributes, object Kept)> _attributes = [];

    /// <param name="guest">Taken over.</param>
    public SimpleCache(VirtioFsGuest guest, CachingRule rule)
    {
        _guest = guest;
        _rule = rule;
    }

    /// <summary>A cache whose session is attached to a table.</summary>
    /// <param name="forgetsAfterChange">False is wrong: no slot of this guest tells of what it has changed itself.</param>
    public SimpleCache(VirtioFsGuest guest, string tablePath, Func<VersionTableReader, CachingRule> rule, bool forgetsAfterChange = true)
    {
        _guest = guest;
        _table = VersionTableReader.Open(tablePath);
        AttachHandshake.Perform(guest.Fuse, _table);
        _rule = rule(_table);
        _forgetsAfterChange = forgetsAfterChange;
    }

    public NodeId? Lookup(NodeId parent, string name)
    {
        SlotKey slot = SlotKey.Name(KeyOf(parent), Utf8(name));
        if (!_entries.TryGetValue((parent, name), out (NodeId Node, object Kept) cached) || !_rule.MayUse(slot, cached.Kept))
        {
            object? before = _rule.BeforeRequest(slot);
            cached.Node = Ask(parent, name, out ulong validSeconds);
            if (_rule.AfterReply(slot, before, validSeconds) is { } kept)
            {
                _entries[(parent, name)] = (cached.Node, kept);
            }
        }

        return cached.Node == default ? null : cached.Node;
    }

    public fuse_attr GetAttributes(NodeId node)
    {
        SlotKey slot = SlotKey.Inode(KeyOf(node));
        if (!_attributes.TryGetValue(node, out (fuse_attr Attributes, object Kept) cached) || !_rule.MayUse(slot, cached.Kept))
        {
            object? before = _rule.BeforeRequest(slot);
            fuse_attr_out answer = _guest.Fuse.GetAttr(node);
            cached.Attributes = answer.attr;
            if (_rule.AfterReply(slot, before, answer.attr_valid) is { } kept)
            {
                _attributes[node] = (answer.attr, kept);
            }
        }

        return cached.Attributes;
    }

    public string ReadLink(NodeId node) => Encoding.UTF8.GetString(_guest.Fuse.ReadLink(node));

    public IReadOnlyList<string> List(NodeId directory)
    {
        FileHandle handle = new(_guest.Fuse.OpenDir(directory).fh);
        try
        {
            return [.. _guest.Fuse.ReadDir(directory, handle, 0).Select(record => record.Name)];
        }
        finally
        {
            _guest.Fuse.ReleaseDir(directory, handle);
        }
    }

    public NodeId CreateFile(NodeId parent, string name) =>
        Change(() => _guest.Fuse.MkNod(parent, Utf8(name), StatFlags.S_IFREG | 0x1B6));

    public NodeId CreateDirectory(NodeId parent, string name) => Change(() => _guest.Fuse.MkDir(parent, Utf8(name), 0x1FF));

    public NodeId CreateSymlink(NodeId parent, string name, string target) =>
        Change(() => _guest.Fuse.Symlink(parent, Utf8(name), Utf8(target)));

    public void Link(NodeId node, NodeId parent, string name) => Change(() => _guest.Fuse.Link(node, parent, Utf8(name)));

    public void DeleteFile(NodeId parent, string name) => Change(() => _guest.Fuse.Unlink(parent, Utf8(name)));

    public void DeleteDirectory(NodeId parent, string name) => Change(() => _guest.Fuse.RmDir(parent, Utf8(name)));

    public void Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags) =>
        Change(() => _guest.Fuse.Rename2(parent, Utf8(name), newParent, Utf8(newName), flags));

    public void SetAttributes(NodeId node, in fuse_setattr_in wanted)
    {
        fuse_setattr_in change = wanted;
        Change(() => { _guest.Fuse.SetAttr(node, change); });
    }

    public void Dispose()
    {
        _guest.Dispose();
        _table?.Dispose();
    }

    private NodeId Ask(NodeId parent, string name, out ulong validSeconds)
    {
        try
        {
            fuse_entry_out entry = _guest.Fuse.Lookup(parent, Utf8(name));
            validSeconds = entry.entry_valid;
            return new NodeId(entry.nodeid);
        }
        catch (FuseException absent) when (absent.Errno == Errno.ENOENT)
        {
            validSeconds = 0;
            return default;
        }
    }

    private NodeId Change(Func<fuse_entry_out> make)
    {
        fuse_entry_out made = default;
        Change(() => { made = make(); });
        return new NodeId(made.nodeid);
    }

    private void Change(Action change)
    {
        try
        {
            change();
        }
        finally
        {
            if (_forgetsAfterChange)
            {
                _entries.Clear();
                _attributes.Clear();
            }
        }
    }

    private ulong KeyOf(NodeId node) => node == NodeId.Root && _table is not null ? _table.RootKey : node.Value;

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
