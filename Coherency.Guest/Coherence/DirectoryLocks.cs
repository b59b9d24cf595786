using Coherency.Core.Fuse;

namespace Coherency.Guest.Coherence;

/// <summary>
/// Keeps a session's own changes of a directory apart from one another and from the requests that look into it, as Linux does.
/// Directories share locks by their node id.
/// </summary>
internal sealed class DirectoryLocks : IDisposable
{
    private const int Count = 64;

    private readonly ReaderWriterLockSlim[] _locks = [.. Enumerable.Range(0, Count).Select(_ => new ReaderWriterLockSlim())];

    /// <summary>For a request that looks into the directory.</summary>
    public SharedDirectoryLock EnterShared(NodeId directory) => new(_locks[IndexOf(directory)]);

    /// <summary>For a change of its names.</summary>
    public ExclusiveDirectoryLock EnterExclusive(NodeId directory) => EnterExclusive(directory, directory);

    /// <summary>Both at once; always the lower lock first, so that two renames never wait for each other.</summary>
    public ExclusiveDirectoryLock EnterExclusive(NodeId a, NodeId b)
    {
        int first = Math.Min(IndexOf(a), IndexOf(b));
        int second = Math.Max(IndexOf(a), IndexOf(b));
        return new ExclusiveDirectoryLock(_locks[first], first == second ? null : _locks[second]);
    }

    public void Dispose()
    {
        foreach (ReaderWriterLockSlim directory in _locks)
        {
            directory.Dispose();
        }
    }

    private static int IndexOf(NodeId directory) => (int)(directory.Value % Count);
}

internal readonly ref struct SharedDirectoryLock
{
    private readonly ReaderWriterLockSlim _lock;

    public SharedDirectoryLock(ReaderWriterLockSlim directory)
    {
        _lock = directory;
        _lock.EnterReadLock();
    }

    public void Dispose() => _lock.ExitReadLock();
}

internal readonly ref struct ExclusiveDirectoryLock
{
    private readonly ReaderWriterLockSlim _first;
    private readonly ReaderWriterLockSlim? _second;

    public ExclusiveDirectoryLock(ReaderWriterLockSlim first, ReaderWriterLockSlim? second)
    {
        _first = first;
        _second = second;
        first.EnterWriteLock();
        second?.EnterWriteLock();
    }

    public void Dispose()
    {
        _second?.ExitWriteLock();
        _first.ExitWriteLock();
    }
}
