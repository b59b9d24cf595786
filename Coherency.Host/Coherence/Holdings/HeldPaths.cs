using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;

namespace Coherency.Host.Coherence.Holdings;

/// <summary>
/// Where things are, as far as the guest was told: made from the records when somebody asks. Not thread-safe, as they are not.
/// </summary>
internal sealed class HeldPaths(HeldRecords records, TableView view)
{
    /// <summary>PATH_MAX: a longer one no program could use.</summary>
    private const int PathBytesMax = 4096;

    /// <summary>Of one inode, when all of their directories were forgotten so far: the lock is held meanwhile.</summary>
    private const int NamesLookedAtMax = 64;

    /// <summary>Directories that others move between two looks can seem to be in one another.</summary>
    private const int DepthMax = 1024;

    /// <summary>What a path led to as the guest was last told; 0 when it does not know.</summary>
    public uint Resolve(ReadOnlySpan<byte> path)
    {
        uint node = records.Root;
        while (!path.IsEmpty && node != 0)
        {
            int end = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = end < 0 ? path : path[..end];
            path = end < 0 ? default : path[(end + 1)..];
            uint number = records.FindName(node, name, (uint)SlotKey.Name(view.KeyOf(new NodeId(records.Node(node).Node)), name).Value);
            node = number == 0 ? 0 : records.Name(number).Child;
        }

        return node != 0 && records.Node(node).Node != 0 ? node : 0;
    }

    /// <param name="last">A name in the directory that <paramref name="node"/> is; empty for the node's own path.</param>
    public string? PathOf(uint node, ReadOnlySpan<byte> last)
    {
        Span<byte> path = stackalloc byte[PathBytesMax];
        int start = PathBytesMax;
        bool fits = last.IsEmpty || TryPutBefore(path, ref start, last);
        for (int depth = 0; fits && node != records.Root; depth++)
        {
            uint number = depth < DepthMax ? NameWithDirectory(node) : 0;
            if (number == 0)
            {
                return null;
            }

            ref HeldName record = ref records.Name(number);
            fits = TryPutBefore(path, ref start, records.BytesOf(record));
            node = record.Parent;
        }

        return fits ? Encoding.UTF8.GetString(path[start..]) : null;
    }

    /// <summary>The last given name of a node whose directory the guest has not forgotten.</summary>
    public uint NameWithDirectory(uint node)
    {
        uint number = records.Node(node).FirstName;
        for (int looked = 0; number != 0 && records.Node(records.Name(number).Parent).Node == 0; looked++)
        {
            number = looked < NamesLookedAtMax ? records.Name(number).NextOfChild : 0;
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
