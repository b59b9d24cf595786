using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;

namespace Coherency.Host.Server;

/// <summary>Operations on locks.</summary>
public sealed partial class FuseSession
{
    private Errno GetLk(FuseRequest request, IFileSystem files)
    {
        if (!_options.PosixLocks)
        {
            return Errno.ENOSYS;
        }

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

        bool isFlock = ((FuseLockFlags)arguments.lk_flags).HasFlag(FuseLockFlags.Flock);
        if (isFlock ? !_options.Flock : !_options.PosixLocks)
        {
            return Errno.ENOSYS;
        }

        LockAskFlags asks = (LockAskFlags)arguments.lk.type & LockAskFlags.All;
        arguments.lk.type &= ~(uint)LockAskFlags.All;
        bool isOfOpenFile = isFlock || asks.HasFlag(LockAskFlags.OpenFile);
        LockAttempt attempt = new(files, Target(request, arguments.fh), arguments.owner, Decode(arguments), isFlock, isOfOpenFile);
        if (attempt.Lock.Type is not (LockFlags.F_RDLCK or LockFlags.F_WRLCK or LockFlags.F_UNLCK))
        {
            return Errno.EINVAL;
        }

        // What becomes of locks that the owner has already: one for writing becomes one for reading, and a flock(2) lock that
        // cannot become another one is gone.
        NodeId node = request.Node;
        bool changesOwn = attempt.Lock.Type == LockFlags.F_RDLCK || (isFlock && attempt.Lock.Type == LockFlags.F_WRLCK);
        bool hadLocks = changesOwn && files.HoldsLock(attempt.File, attempt.Owner, isFlock);
        Errno error;
        switch (asks & ~LockAskFlags.OpenFile)
        {
            case LockAskFlags.None:
                error = attempt.Try();
                break;
            case LockAskFlags.Ask or LockAskFlags.Again when wait && attempt.Lock.Type != LockFlags.F_UNLCK:
                error = Ask(node, attempt, isAgain: asks.HasFlag(LockAskFlags.Again));
                break;
            case LockAskFlags.Leave when !wait:
                _lockWaits.Leave(this, node, attempt);
                return ReplyOnSuccess(request, Errno.None);
            default:
                return Errno.EINVAL;
        }

        if (error == Errno.EAGAIN && wait && asks == LockAskFlags.None)
        {
            request.DropArguments();
            error = _retries.Park(request, attempt);
        }
        else
        {
            if (wait && error == Errno.None)
            {
                Counters.FinishWait(request, error);
            }

            ReplyOnSuccess(request, error);
        }

        if (attempt.Lock.Type == LockFlags.F_UNLCK)
        {
            _lockWaits.LocksMayBeFree(node, this);
        }
        else if (hadLocks)
        {
            _lockWaits.LocksMayBeFree(node);
        }

        return error;
    }

    /// <summary>
    /// Tries a lock for a client that waits by itself. EAGAIN: it is told when the lock may be free; EBUSY: likewise, and it has other
    /// locks on the file.
    /// </summary>
    private Errno Ask(NodeId node, in LockAttempt attempt, bool isAgain)
    {
        Errno error = _lockWaits.Ask(this, node, attempt, isAgain);
        bool hasOthers = error == Errno.EAGAIN && !attempt.IsFlock && attempt.Files.HoldsLock(attempt.File, attempt.Owner, isFlock: false);
        return hasOthers ? Errno.EBUSY : error;
    }

    /// <summary>Notes that a client waits, in its conversation; false when that has ended.</summary>
    internal bool TryNoteWait(IFileSystem files, Action note)
    {
        lock (_stateLock)
        {
            if (_conversation?.Files != files)
            {
                return false;
            }

            note();
            return true;
        }
    }

    private bool IsOfLocks(FuseRequest request, EntryName attribute) =>
        request.Node == NodeId.Root && _view is not null && attribute.Bytes.SequenceEqual(ChannelFormat.LocksAttribute);

    /// <summary>Which locks the client can ask for without waiting here.</summary>
    private Errno GetAskedLocks(Span<byte> value, out int length)
    {
        length = sizeof(uint);
        AskedLocks kinds = _options.PosixLocks ? AskedLocks.Record : AskedLocks.None;
        kinds |= _options.Flock ? AskedLocks.Flock : AskedLocks.None;
        if (kinds == AskedLocks.None)
        {
            return Errno.ENODATA;
        }

        return value.IsEmpty || MemoryMarshal.TryWrite(value, (uint)kinds) ? Errno.None : Errno.ERANGE;
    }

    /// <summary>Only the kernel's FUSE device sends it, and only what waits can be given up.</summary>
    private Errno Interrupt(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_interrupt_in arguments))
        {
            _retries.Cancel(arguments.unique);
            _subscriber?.Cancel(arguments.unique);
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
