using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The sessions of all shares of a group, which may reach the same files. They are looked for among all sessions of the process, for two
/// groups can become one. Thread-safe.
/// </summary>
internal sealed class ShareSessions(ShareGroup group)
{
    private static readonly Lock Membership = new();
    private static volatile PassthroughFileSystem[] s_all = [];

    public static void Add(PassthroughFileSystem session)
    {
        lock (Membership)
        {
            s_all = [.. s_all, session];
        }
    }

    public static void Remove(PassthroughFileSystem session)
    {
        lock (Membership)
        {
            s_all = [.. s_all.Where(other => other != session)];
        }
    }

    /// <summary>
    /// Has every session that holds an inode keep it, before a name of it is removed. ENFILE when one cannot that may have it open
    /// without anybody's knowing: then the name must stay. ERESTART when one will be able to later.
    /// </summary>
    /// <param name="share">The one that <paramref name="target"/> was found in.</param>
    public Errno KeepRemoved(PassthroughShare share, scoped in NameTarget target)
    {
        ShareGroup whole = group.Whole;
        foreach (PassthroughFileSystem session in s_all)
        {
            Errno errno = session.Group == whole ? session.KeepRemoved(share, target) : Errno.None;
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
        ShareGroup whole = group.Whole;
        foreach (PassthroughFileSystem session in s_all.Where(session => session.Group == whole))
        {
            session.FindOwnLockHolders(inodeKey, wanting, wanted, holders);
        }
    }

    /// <summary>What each session has of an inode.</summary>
    public string Describe(ulong node) => string.Join(
        "; ", s_all.Where(session => session.Group == group.Whole).Select(session => session.Describe(node)));

    /// <summary>See <see cref="SessionKeeps.LetUnusedGo"/>.</summary>
    public void LetUnusedGo()
    {
        ShareGroup whole = group.Whole;
        foreach (PassthroughFileSystem session in s_all.Where(session => session.Group == whole))
        {
            session.LetUnusedGo();
        }
    }
}
