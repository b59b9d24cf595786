namespace Coherency.Host.Coherence.Events;

/// <summary>
/// Files that clients without opens have changed and will close, or have closed. Such a client says of a file that it has had open for
/// half a second that it is, and later that it is no more: what it does not say to be open some time after the last change, it has closed.
/// Thread-safe.
/// </summary>
internal sealed class ExpectedCloses
{
    /// <summary>After the last change, in milliseconds: a client has said by then that the file is open.</summary>
    public const int PatienceMs = 1100;

    /// <summary>How often is looked, in milliseconds.</summary>
    private const int LookMs = 100;

    /// <summary>Of each client; of what is more, it is told at once.</summary>
    private const int Max = 1024;

    private readonly Lock _lock = new();

    /// <summary>
    /// By node: when it is time to look, as <see cref="Environment.TickCount64"/>; <see cref="long.MaxValue"/> for one that is said to be
    /// open.
    /// </summary>
    private readonly Dictionary<IFileCloser, Dictionary<ulong, long>> _due = [];

    public void Expect(IFileCloser closer, ulong node)
    {
        lock (_lock)
        {
            Dictionary<ulong, long> own = Of(closer);
            if (own.Count < Max || own.ContainsKey(node))
            {
                own[node] = Environment.TickCount64 + PatienceMs;
                return;
            }
        }

        closer.TryTellClosed(node);
    }

    /// <summary>It is closed now; false if it was not expected.</summary>
    public bool IsOver(IFileCloser closer, ulong node)
    {
        lock (_lock)
        {
            bool isExpected = _due.TryGetValue(closer, out Dictionary<ulong, long>? own) && own.ContainsKey(node);
            if (isExpected)
            {
                own![node] = 0;
            }

            return isExpected;
        }
    }

    public void Forget(IFileCloser closer)
    {
        lock (_lock)
        {
            _due.Remove(closer);
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _due.Clear();
        }
    }

    /// <summary>Has another one expect what is expected here. Of two, never each the other.</summary>
    public void MoveTo(ExpectedCloses other)
    {
        lock (_lock)
        {
            lock (other._lock)
            {
                foreach ((IFileCloser closer, Dictionary<ulong, long> own) in _due)
                {
                    foreach ((ulong node, long time) in own)
                    {
                        other.Of(closer).TryAdd(node, time);
                    }
                }
            }

            _due.Clear();
        }
    }

    /// <summary>Tells of those whose time has come.</summary>
    /// <returns>When to look again, in milliseconds; -1 when nothing is expected.</returns>
    public int TellDue()
    {
        List<(IFileCloser Closer, ulong Node)> due = [];
        long next = long.MaxValue;
        long now = Environment.TickCount64;
        lock (_lock)
        {
            foreach ((IFileCloser closer, Dictionary<ulong, long> own) in _due)
            {
                foreach ((ulong node, long time) in own)
                {
                    if (time <= now)
                    {
                        due.Add((closer, node));
                        // Removing does not disturb who goes through it.
                        own.Remove(node);
                    }
                    else
                    {
                        next = Math.Min(next, time);
                    }
                }
            }
        }

        foreach ((IFileCloser closer, ulong node) in due)
        {
            if (!closer.TryTellClosed(node))
            {
                Await(closer, node);
            }
        }

        return next == long.MaxValue ? -1 : (int)Math.Max(LookMs, next - now);
    }

    /// <summary>It is open still. That it is closed may have been said since it was asked: so it is asked once more.</summary>
    private void Await(IFileCloser closer, ulong node)
    {
        lock (_lock)
        {
            Of(closer).TryAdd(node, long.MaxValue);
        }

        if (closer.TryTellClosed(node))
        {
            lock (_lock)
            {
                Dictionary<ulong, long> own = Of(closer);
                own.Remove(node);
                if (own.Count == 0)
                {
                    // The client may have gone meanwhile.
                    _due.Remove(closer);
                }
            }
        }
    }

    private Dictionary<ulong, long> Of(IFileCloser closer)
    {
        if (!_due.TryGetValue(closer, out Dictionary<ulong, long>? own))
        {
            _due.Add(closer, own = []);
        }

        return own;
    }
}
