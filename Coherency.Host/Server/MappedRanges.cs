using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>
/// What of which files a client has in its DAX window, in the course of one conversation, and the requests that wait for it. The client
/// decides what goes where; these are the books, so that nothing is left when it forgets, or goes. Thread-safe.
/// </summary>
internal sealed class MappedRanges(IDaxWindow window)
{
    /// <summary>Where the client maps what; a file has a descriptor while a range of it is here.</summary>
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Range> _ranges = [];
    private readonly Dictionary<NodeId, LentDescriptor> _files = [];
    private readonly List<WaitingMapping> _waiting = [];
    private bool _hasEnded;

    /// <summary>Ranges that are mapped, or will be.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _ranges.Count;
            }
        }
    }

    /// <summary>That part of the file is there already.</summary>
    public bool Has(long offset, NodeId node, long fileOffset)
    {
        lock (_lock)
        {
            return _ranges.TryGetValue(offset, out Range range) && range == new Range(node, fileOffset) && !IsAwaited(offset);
        }
    }

    /// <summary>A descriptor to map of the file exists.</summary>
    public bool HasFile(NodeId node)
    {
        lock (_lock)
        {
            return _files.ContainsKey(node);
        }
    }

    /// <summary>
    /// Maps what an offset of the window is to show, whatever it showed, and answers the request, which is parked, when the client sees
    /// it.
    /// </summary>
    /// <param name="lent">A descriptor to map; taken over, and not used if there is one.</param>
    public void Map(FuseRequest request, long offset, long fileOffset, int lent, Action<FuseRequest, Errno> answer)
    {
        WaitingMapping waiting = new(request, offset, answer);
        NodeId node = request.Node;
        lock (_lock)
        {
            if (_hasEnded)
            {
                CloseFile(lent);
                waiting.End(Errno.EIO);
                return;
            }

            // What is there goes only then: it may be the last range of the same file.
            LentDescriptor file = Use(node, lent);
            file.Ranges++;
            _files[node] = file;
            Remove(offset);
            _ranges[offset] = new Range(node, fileOffset);
            _waiting.Add(waiting);
            window.Map(offset, file.Fd, fileOffset, mapped => Finish(waiting, mapped));
        }
    }

    /// <summary>False when nothing is mapped there.</summary>
    public bool Unmap(long offset)
    {
        lock (_lock)
        {
            return Remove(offset);
        }
    }

    /// <summary>The client does not know the file any more.</summary>
    public void UnmapFile(NodeId node)
    {
        lock (_lock)
        {
            foreach (long offset in _ranges.Where(range => range.Value.Node == node).Select(range => range.Key).ToArray())
            {
                Remove(offset);
            }
        }
    }

    /// <summary>The requests of a channel wait no longer. What they asked for may still come, and is in the books.</summary>
    public void Cancel(FuseChannel channel) => End(waiting => waiting.Channel == channel, Errno.EINTR);

    /// <summary>The conversation has ended: the next one finds an empty window.</summary>
    public void EndAll()
    {
        lock (_lock)
        {
            _hasEnded = true;
            foreach (long offset in _ranges.Keys.ToArray())
            {
                Remove(offset);
            }
        }

        End(_ => true, Errno.EINTR);
    }

    private void End(Predicate<WaitingMapping> which, Errno error)
    {
        List<WaitingMapping> ended;
        lock (_lock)
        {
            ended = _waiting.FindAll(which);
            _waiting.RemoveAll(which);
        }

        ended.ForEach(waiting => waiting.End(error));
    }

    private void Finish(WaitingMapping waiting, Errno mapped)
    {
        lock (_lock)
        {
            // Cancelled, it is nobody's any more, but for the books.
            bool wasWaiting = _waiting.Remove(waiting);
            if (mapped != Errno.None && wasWaiting)
            {
                Remove(waiting.Offset);
            }

            if (!wasWaiting)
            {
                return;
            }
        }

        waiting.End(mapped);
    }

    private bool IsAwaited(long offset) => _waiting.Exists(waiting => waiting.Offset == offset);

    private LentDescriptor Use(NodeId node, int lent)
    {
        if (_files.TryGetValue(node, out LentDescriptor? file))
        {
            CloseFile(lent);
            return file;
        }

        return new LentDescriptor(lent);
    }

    private bool Remove(long offset)
    {
        if (!_ranges.Remove(offset, out Range range))
        {
            return false;
        }

        window.Unmap(offset);
        LentDescriptor file = _files[range.Node];
        if (--file.Ranges == 0)
        {
            _files.Remove(range.Node);
            CloseFile(file.Fd);
        }

        return true;
    }

    private static void CloseFile(int fd)
    {
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    private readonly record struct Range(NodeId Node, long FileOffset);

    private sealed class LentDescriptor(int fd)
    {
        public int Fd => fd;

        public int Ranges { get; set; }
    }

    private sealed class WaitingMapping(FuseRequest request, long offset, Action<FuseRequest, Errno> answer)
    {
        public FuseChannel Channel { get; } = request.Channel;

        public long Offset => offset;

        public void End(Errno result) => answer(request, result);
    }
}
