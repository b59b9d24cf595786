using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

// Locks: none of these waits, that is the server's part.
public sealed partial class PassthroughFileSystem
{
    public Errno GetLock(FileHandle handle, ulong owner, ref FileLock fileLock)
    {
        using HandleUse use = _handles.Use(handle, HandleKind.File);
        return use.IsEmpty ? Errno.EBADF : _locks.Get(use.File, owner, ref fileLock);
    }

    public Errno SetLock(FileHandle handle, ulong owner, in FileLock fileLock)
    {
        using HandleUse use = _handles.Use(handle, HandleKind.File);
        return use.IsEmpty ? Errno.EBADF : _locks.Set(use.File, owner, fileLock);
    }

    public Errno SetFlock(FileHandle handle, short type)
    {
        int operation = type switch
        {
            LockFlags.F_RDLCK => LockFlags.LOCK_SH,
            LockFlags.F_WRLCK => LockFlags.LOCK_EX,
            LockFlags.F_UNLCK => LockFlags.LOCK_UN,
            _ => 0,
        };
        using HandleUse use = _handles.Use(handle, HandleKind.File);
        if (use.IsEmpty || operation == 0)
        {
            return use.IsEmpty ? Errno.EBADF : Errno.EINVAL;
        }

        return Libc.Flock(use.File.Fd, operation | LockFlags.LOCK_NB).ToErrno();
    }
}
