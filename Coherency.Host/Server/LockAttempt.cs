using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>A lock that somebody wants, in a form that can be tried again.</summary>
public readonly record struct LockAttempt(IFileSystem Files, FileTarget File, ulong Owner, FileLock Lock, bool IsFlock)
{
    /// <summary>Takes the lock if it is free; EAGAIN otherwise.</summary>
    public Errno Try() => IsFlock ? Files.SetFlock(File, Owner, Lock.Type) : Files.SetLock(File, Owner, Lock);
}
