using System.Runtime.CompilerServices;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>The sessions of all shares that may reach the same files. Thread-safe.</summary>
internal sealed class ShareSessions
{
    private static readonly ConditionalWeakTable<ShareGroup, ShareSessions> OfGroups = [];

    private readonly Lock _membership = new();
    private volatile PassthroughFileSystem[] _sessions = [];

    /// <summary>Those of a group: one object as long as the group lives.</summary>
    public static ShareSessions Of(ShareGroup group) => OfGroups.GetOrCreateValue(group);

    public void Add(PassthroughFileSystem session)
    {
        lock (_membership)
        {
            _sessions = [.. _sessions, session];
        }
    }

    public void Remove(PassthroughFileSystem session)
    {
        lock (_membership)
        {
            _sessions = [.. _sessions.Where(other => other != session)];
        }
    }

    /// <summary>
    /// Has every session that holds an inode keep it, before a name of it is removed. ENFILE when one cannot that may have it open
    /// without anybody's knowing: then the name must stay. ERESTART when one will be able to later.
    /// </summary>
    /// <param name="share">The one that <paramref name="target"/> was found in.</param>
    public Errno KeepRemoved(PassthroughShare share, scoped in NameTarget target)
    {
        foreach (PassthroughFileSystem session in _sessions)
        {
            Errno errno = session.KeepRemoved(share, target);
            if (errno != Errno.None)
            {
                return errno;
            }
        }

        return Errno.None;
    }

    /// <summary>Adds the owners whose record locks on a file stand in the way of a lock that another one wants.</summary>
    public void FindLockHolders(ulong inodeKey, LockOwner wanting, in FileLock wanted, List<LockOwner> holders)
    {
        foreach (PassthroughFileSystem session in _sessions)
        {
            session.FindOwnLockHolders(inodeKey, wanting, wanted, holders);
        }
    }

    /// <summary>What each session has of an inode.</summary>
    public string Describe(ulong node) => string.Join("; ", _sessions.Select(session => session.Describe(node)));

    /// <summary>See <see cref="SessionKeeps.LetUnusedGo"/>.</summary>
    public void LetUnusedGo()
    {
        foreach (PassthroughFileSystem session in _sessions)
        {
            session.LetUnusedGo();
        }
    }
}
