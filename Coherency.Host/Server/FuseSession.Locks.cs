using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Operations on locks.</summary>
public sealed partial class FuseSession
{
    private static Errno GetLk(FuseRequest request, IFileSystem files)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_lk_in arguments))
        {
            return reader.Error;
        }

        FileLock fileLock = Decode(arguments);
        Errno error = files.GetLock(Target(request, arguments.fh), arguments.owner, ref fileLock);
        if (error == Errno.None)
        {
            request.Reply(new fuse_lk_out
            {
                lk = new fuse_file_lock
                {
                    type = (uint)fileLock.Type,
                    start = (ulong)fileLock.Start,
                    end = (ulong)fileLock.End,
                    pid = fileLock.Pid,
                },
            });
        }

        return error;
    }

    private Errno SetLk(FuseRequest request, IFileSystem files, bool wait)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_lk_in arguments))
        {
            return reader.Error;
        }

        LockAttempt attempt = new(
            files,
            Target(request, arguments.fh),
            arguments.owner,
            Decode(arguments),
            ((FuseLockFlags)arguments.lk_flags).HasFlag(FuseLockFlags.Flock));
        if (attempt.Lock.Type is not (LockFlags.F_RDLCK or LockFlags.F_WRLCK or LockFlags.F_UNLCK))
        {
            return Errno.EINVAL;
        }

        Errno error = attempt.Try();
        if (error == Errno.EAGAIN && wait)
        {
            return _lockWaits.Park(this, request, attempt);
        }

        if (wait && error == Errno.None)
        {
            Counters.FinishWait(request, error);
        }

        ReplyOnSuccess(request, error);
        if (attempt.Lock.Type != LockFlags.F_WRLCK)
        {
            // Unlocking, or going from a write lock to a read lock.
            _lockWaits.LocksMayBeFree();
        }

        return error;
    }

    /// <summary>Only the kernel's FUSE device sends it, and only a lock that is being waited for can be given up.</summary>
    private Errno Interrupt(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_interrupt_in arguments))
        {
            _lockWaits.Cancel(this, arguments.unique);
        }

        request.CompleteWithoutReply();
        return Errno.None;
    }

    private static FileLock Decode(in fuse_lk_in arguments) => new()
    {
        Type = arguments.lk.type <= LockFlags.F_UNLCK ? (short)arguments.lk.type : (short)-1,
        Start = (long)arguments.lk.start,
        End = (long)arguments.lk.end,
        Pid = arguments.lk.pid,
    };
}
