using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

// Where things are, as far as the guest was told: made from the records when somebody asks.
public sealed partial class HeldEntries
{
    /// <summary>PATH_MAX: a longer one no program could use.</summary>
    private const int PathBytesMax = 4096;

    /// <summary>Directories that others move between two looks can seem to be in one another.</summary>
    /// <summary>Of one inode, when all of their directories were forgotten so far: the lock is held meanwhile.</summary>
    private const int NamesLookedAtMax = 64;

    private const int DepthMax = 1024;

    /// <summary>The path of a node, relative to the share, empty for its root; null when the guest was given none.</summary>
    public string? FindPath(NodeId node)
    {
        lock (_lock)
        {
            uint number = FindNode(node.Value);
            return number == 0 ? null : PathOf(number, default);
        }
    }

    /// <summary>The path of a name in a directory; null when the guest was given none for the directory.</summary>
    public string? FindPath(NodeId directory, ReadOnlySpan<byte> name)
    {
        lock (_lock)
        {
            uint number = FindNode(directory.Value);
            return number == 0 ? null : PathOf(number, name);
        }
    }

    /// <summary>What a path led to as the guest was last told; 0 when it does not know.</summary>
    private uint Resolve(ReadOnlySpan<byte> path)
    {
        uint node = _root;
        while (!path.IsEmpty && node != 0)
        {
            int end = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = end < 0 ? path : path[..end];
            path = end < 0 ? default : path[(end + 1)..];
            uint number = FindName(node, name, (uint)SlotKey.Name(KeyOf(_nodes[node].Node), name).Value);
            node = number == 0 ? 0 : _names[number].Child;
        }

        return node != 0 && _nodes[node].Node != 0 ? node : 0;
    }

    /// <param name="last">A name in the directory that <paramref name="node"/> is; empty for the node's own path.</param>
    private string? PathOf(uint node, ReadOnlySpan<byte> last)
    {
        Span<byte> path = stackalloc byte[PathBytesMax];
        int start = PathBytesMax;
        bool fits = last.IsEmpty || TryPutBefore(path, ref start, last);
        for (int depth = 0; fits && node != _root; depth++)
        {
            uint number = depth < DepthMax ? NameWithDirectory(node) : 0;
            if (number == 0)
            {
                return null;
            }

            ref HeldName record = ref _names[number];
            fits = TryPutBefore(path, ref start, _nameBytes.Read(record.Place));
            node = record.Parent;
        }

        return fits ? Encoding.UTF8.GetString(path[start..]) : null;
    }

    /// <summary>The last given name of a node whose directory the guest has not forgotten.</summary>
    private uint NameWithDirectory(uint node)
    {
        uint number = _nodes[node].FirstName;
        for (int looked = 0; number != 0 && _nodes[_names[number].Parent].Node == 0; looked++)
        {
            number = looked < NamesLookedAtMax ? _names[number].NextOfChild : 0;
        }

        return number;
    }

    private static bool TryPutBefore(Span<byte> path, ref int start, ReadOnlySpan<byte> name)
    {
        int separator = start == path.Length ? 0 : 1;
        if (name.Length + separator > start)
        {
            return false;
        }

        start -= separator;
        path.Slice(start, separator).Fill((byte)'/');
        start -= name.Length;
        name.CopyTo(path[start..]);
        return true;
    }
}
