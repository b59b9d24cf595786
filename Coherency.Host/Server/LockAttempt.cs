using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>A lock that somebody wants, in a form that can be tried again.</summary>
/// <param name="IsOfOpenFile">It will belong to an open file: who has such a lock need not be a process that waits.</param>
public readonly record struct LockAttempt(
    IFileSystem Files, FileTarget File, ulong Owner, FileLock Lock, bool IsFlock, bool IsOfOpenFile)
{
    /// <summary>Takes the lock if it is free; EAGAIN otherwise.</summary>
    public Errno Try() => IsFlock ? Files.SetFlock(File, Owner, Lock.Type) : Files.SetLock(File, Owner, Lock);

    /// <summary>Who wants it.</summary>
    public LockOwner Wanting => Files.IdentifyOwner(Owner);

    /// <summary>Adds the owners that it waits for; none for flock(2).</summary>
    public void FindHolders(List<LockOwner> holders)
    {
        if (!IsFlock)
        {
            Files.FindLockHolders(File, Owner, Lock, holders);
        }
    }

    /// <summary>Of two on one file, the one that is granted would keep the other waiting.</summary>
    public bool StandsInTheWayOf(in LockAttempt other) =>
        IsFlock == other.IsFlock && (Lock.Type == LockFlags.F_WRLCK || other.Lock.Type == LockFlags.F_WRLCK)
        && Lock.Start <= other.Lock.End && other.Lock.Start <= Lock.End && Wanting != other.Wanting;
}
