namespace Coherency.Host.Passthrough;

/// <summary>
/// Inodes that a session has named by handle and is about to look up by node: kept in the table until it has, or has named
/// many others since. Thread-safe.
/// </summary>
internal sealed class AwaitedNodes(InodeTable inodes)
{
    /// <summary>More than a guest has threads that look for inodes by handle at one moment: so many nodes, each so often.</summary>
    private const int ThreadsMax = 1024;

    private readonly Lock _lock = new();

    /// <summary>How often each was named and not looked up, those first that have been here longest: so often it is referenced.</summary>
    private readonly OrderedDictionary<ulong, int> _counts = [];

    private bool _closed;

    public bool Contains(ulong node)
    {
        lock (_lock)
        {
            return _counts.ContainsKey(node);
        }
    }

    public void Add(ref PinnedInode inode)
    {
        lock (_lock)
        {
            int count = _counts.GetValueOrDefault(inode.Node);
            if (_closed || count == ThreadsMax)
            {
                return;
            }

            if (_counts.Count == ThreadsMax && count == 0)
            {
                DropOldest();
            }

            inode.Keep();
            _counts[inode.Node] = count + 1;
        }
    }

    /// <summary>The session has looked it up, and holds it itself.</summary>
    public void Remove(ulong node)
    {
        lock (_lock)
        {
            if (!_counts.TryGetValue(node, out int count))
            {
                return;
            }

            if (count == 1)
            {
                _counts.Remove(node);
            }
            else
            {
                _counts[node] = count - 1;
            }
        }

        inodes.Release(node);
    }

    /// <summary>Lets all of them go, for good.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _closed = true;
            while (_counts.Count > 0)
            {
                DropOldest();
            }
        }
    }

    private void DropOldest()
    {
        (ulong node, int count) = _counts.GetAt(0);
        _counts.RemoveAt(0);
        for (int i = 0; i < count; i++)
        {
            inodes.Release(node);
        }
    }
}
