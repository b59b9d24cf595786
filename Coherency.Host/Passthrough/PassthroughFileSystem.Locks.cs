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
        return use.Opened is null ? _locks.SetFlock(use, owner, operation) : Libc.Flock(use.Fd, operation).ToErrno();
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
