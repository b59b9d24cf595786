using System.Text;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>What <see cref="HeldEntries"/> must record, in the simplest way: dictionaries and flags.</summary>
internal sealed class HeldModel
{
    private readonly Dictionary<ulong, Node> _nodes = new() { [1] = new Node() };
    private readonly Dictionary<(ulong Directory, string Name), Name> _names = [];

    public IEnumerable<ulong> Nodes => _nodes.Keys;

    public void Give(ulong parent, string name, ulong child)
    {
        Node node = _nodes.TryGetValue(child, out Node? known) ? known : _nodes[child] = new Node();
        node.Lookups++;
        node.Attributes = new Held();
        _names[(parent, name)] = new Name(child, new Held());
    }

    public void GiveAbsent(ulong parent, string name) => _names[(parent, name)] = new Name(0, new Held());

    public void GiveAttributes(ulong node) => _nodes[node].Attributes = new Held();

    public void GiveContent(ulong node) => _nodes[node].Content = new Held();

    public void Forget(ulong node, int count)
    {
        if (node == 1 || (_nodes[node].Lookups -= count) > 0)
        {
            return;
        }

        _nodes.Remove(node);
        foreach ((ulong, string) gone in _names.Where(name => name.Key.Directory == node
            || name.Value.Child == node).Select(name => name.Key).ToList())
        {
            _names.Remove(gone);
        }
    }

    public void Remove(ulong parent, string name)
    {
        _names.Remove((parent, name));
        GiveUp(parent);
    }

    public void Rename(ulong parent, string name, ulong newParent, string newName, bool exchanges)
    {
        _names.Remove((parent, name), out Name? moved);
        _names.Remove((newParent, newName), out Name? replaced);
        Put(newParent, newName, moved);
        Put(parent, name, exchanges ? replaced : null);
        GiveUp(parent);
        GiveUp(newParent);
    }

    /// <summary>Another client has changed an inode.</summary>
    public void ChangeInode(ulong node)
    {
        if (_nodes.TryGetValue(node, out Node? known))
        {
            known.Attributes?.IsStale = true;
            known.Content?.IsStale = true;
        }
    }

    /// <summary>Another client has changed a name.</summary>
    public void ChangeName(ulong parent, string name)
    {
        if (_names.TryGetValue((parent, name), out Name? known))
        {
            known.Held.IsStale = true;
        }
    }

    /// <summary>What a scan must find.</summary>
    public IEnumerable<(HeldKind Kind, ulong Node, ulong Key, bool IsStale)> Findings()
    {
        foreach (((ulong directory, string text), Name name) in _names)
        {
            HeldKind kind = name.Child == 0 ? HeldKind.AbsentName : HeldKind.Name;
            yield return (
                kind, name.Child, SlotKey.Name(HeldFixture.KeyOf(directory), Encoding.UTF8.GetBytes(text)).Value, name.Held.IsStale);
        }

        foreach ((ulong id, Node node) in _nodes)
        {
            if (node.Attributes is { } attributes)
            {
                yield return (HeldKind.Attributes, id, HeldFixture.KeyOf(id), attributes.IsStale);
            }

            if (node.Content is { } content)
            {
                yield return (HeldKind.Listing, id, HeldFixture.KeyOf(id), content.IsStale);
            }
        }
    }

    private void Put(ulong parent, string name, Name? moved)
    {
        if (moved is { Child: not 0 })
        {
            _names[(parent, name)] = new Name(moved.Child, new Held());
        }
    }

    private void GiveUp(ulong directory)
    {
        _nodes[directory].Attributes = null;
        _nodes[directory].Content = null;
    }

    private sealed class Held
    {
        public bool IsStale { get; set; }
    }

    private sealed class Node
    {
        public int Lookups { get; set; }

        public Held? Attributes { get; set; }

        public Held? Content { get; set; }
    }

    private sealed record Name(ulong Child, Held Held);
}
