using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Locks: none of these waits, that is the server's part.
public sealed partial class PassthroughFileSystem
{
    public Errno GetLock(FileTarget file, ulong owner, ref FileLock fileLock)
    {
        using FileUse use = UseForReading(file);
        return use.Errno != Errno.None ? use.Errno : _locks.Get(use, owner, ref fileLock);
    }

    public Errno SetLock(FileTarget file, ulong owner, in FileLock fileLock)
    {
        using FileUse use = UseForReading(file);
        return use.Errno != Errno.None ? use.Errno : _locks.Set(use, owner, fileLock);
    }

    public bool HoldsLock(FileTarget file, ulong owner, bool isFlock)
    {
        if (isFlock && !IsByNode(file))
        {
            using HandleUse use = _handles.Use(file.Handle, HandleKind.File);
            return !use.IsEmpty && use.File.HasFlock;
        }

        using FileUse used = UseForReading(file);
        return used.Errno == Errno.None && _locks.Holds(used.Node, owner, isFlock);
    }

    public LockOwner IdentifyOwner(ulong owner) => new(_locks, owner);

    public void FindLockHolders(FileTarget file, ulong owner, in FileLock wanted, List<LockOwner> holders)
    {
        using PinnedInode inode = IsByNode(file) ? Pin(file.Node) : default;
        using HandleUse use = IsByNode(file) ? default : _handles.Use(file.Handle, HandleKind.File);
        if (!inode.IsEmpty || !use.IsEmpty)
        {
            _share.Sessions.FindLockHolders(use.IsEmpty ? inode.Key : use.File.InodeKey, IdentifyOwner(owner), wanted, holders);
        }
    }

    /// <summary>See <see cref="ShareSessions.FindLockHolders"/>.</summary>
    internal void FindOwnLockHolders(ulong inodeKey, LockOwner wanting, in FileLock wanted, List<LockOwner> holders) =>
        _locks.FindHolders(inodeKey, wanting, wanted, holders);

    public Errno SetFlock(FileTarget file, ulong owner, short type)
    {
        int operation = type switch
        {
            LockFlags.F_RDLCK => LockFlags.LOCK_SH,
            LockFlags.F_WRLCK => LockFlags.LOCK_EX,
            LockFlags.F_UNLCK => LockFlags.LOCK_UN,
            _ => 0,
        };
        using FileUse use = UseForReading(file);
        if (use.Errno != Errno.None || operation == 0)
        {
            return use.Errno != Errno.None ? use.Errno : Errno.EINVAL;
        }

        operation |= LockFlags.LOCK_NB;
        if (use.Opened is not { } opened)
        {
            return _locks.SetFlock(use, owner, operation);
        }

        Errno errno = Libc.Flock(use.Fd, operation).ToErrno();
        // The kernel gives the one up before it asks for the other.
        opened.HasFlock = errno == Errno.None ? type != LockFlags.F_UNLCK : opened.HasFlock && errno != Errno.EAGAIN;
        return errno;
    }

    /// <summary>A close that says which locks go with it.</summary>
    private Errno ReleaseByNode(NodeId node, FuseReleaseFlags flags, ulong lockOwner)
    {
        if ((flags & FuseReleaseFlags.Flush) != 0)
        {
            _locks.Drop(node.Value, lockOwner);
        }

        if ((flags & FuseReleaseFlags.FlockUnlock) != 0)
        {
            _locks.DropFlock(node.Value, lockOwner);
        }

        return Errno.None;
    }
}
