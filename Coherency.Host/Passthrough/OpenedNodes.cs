using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The inodes that a client without opens says it holds open: an O_PATH descriptor each, so that an inode outlives its last name
/// when a host program removes that, and its handle goes on to open it. When there is no descriptor to spare, or the client
/// names more, those files are lost with their names.
/// </summary>
internal sealed class OpenedNodes(DescriptorBudget budget)
{
    /// <summary>More than ordinary guests hold open for long; a guest can make the daemon hold no more of them.</summary>
    private const int NodesMax = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, int> _descriptors = [];
    private bool _closed;

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _descriptors.Count;
            }
        }
    }

    public void Add(PassthroughShare share, scoped in PinnedInode inode)
    {
        lock (_lock)
        {
            if (_closed || _descriptors.Count >= NodesMax || _descriptors.ContainsKey(inode.Node) || !budget.TryTakeSpare())
            {
                return;
            }

            int fd = share.OpenPathForGood(inode);
            if (fd < 0)
            {
                budget.Return();
                return;
            }

            _descriptors.Add(inode.Node, fd);
        }
    }

    public void Remove(ulong node)
    {
        lock (_lock)
        {
            if (_descriptors.Count > 0 && _descriptors.Remove(node, out int fd))
            {
                Close(fd);
            }
        }
    }

    /// <summary>Closes everything, for good.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (int fd in _descriptors.Values)
            {
                Close(fd);
            }

            _descriptors.Clear();
        }
    }

    private void Close(int fd)
    {
        Libc.Close(fd);
        budget.Return();
    }
}
