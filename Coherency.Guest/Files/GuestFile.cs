using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Guest.Fuse;

namespace Coherency.Guest.Files;

/// <summary>An open file in the guest. Thread-safe; offsets and lengths in bytes.</summary>
public sealed class GuestFile : IDisposable
{
    private static ulong s_lastOwner;

    private readonly FuseClient _fuse;
    private readonly NodeReference _reference;
    private readonly int _flags;
    private volatile bool _hadLock;
    private volatile bool _hadFlock;
    private bool _closed;

    internal GuestFile(FuseClient fuse, NodeReference reference, FileHandle handle, int flags)
    {
        _fuse = fuse;
        _reference = reference;
        Handle = handle;
        _flags = flags;
    }

    public NodeId Node => _reference.Node;

    /// <summary>0 where the session does without opens.</summary>
    public FileHandle Handle { get; }

    /// <summary>Who holds the locks taken through this object: each open file is an owner of its own.</summary>
    public ulong LockOwner { get; } = Interlocked.Increment(ref s_lastOwner);

    /// <summary>Attributes of this moment.</summary>
    public GuestFileStatus Status => GuestFileStatus.From(Node, _fuse.GetAttr(Node, Handle).attr);

    /// <summary>Fills <paramref name="buffer"/>; returns bytes, less only at the end of the file.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int n = _fuse.Read(Node, Handle, offset + total, buffer[total..]);
            if (n == 0)
            {
                break;
            }

            total += n;
        }

        return total;
    }

    /// <summary>Writes all of <paramref name="data"/>.</summary>
    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            int n = _fuse.Write(Node, Handle, offset, data, openFlags: _flags);
            if (n == 0)
            {
                throw new FuseException(FuseOpcode.Write, Errno.EIO);
            }

            offset += n;
            data = data[n..];
        }
    }

    /// <param name="length">In bytes.</param>
    public void Truncate(long length) => _fuse.SetAttr(Node, new fuse_setattr_in
    {
        valid = (uint)(FuseSetAttrValid.Size | FuseSetAttrValid.Fh),
        fh = Handle.Value,
        size = (ulong)length,
    });

    public void Sync(bool dataOnly = false) => _fuse.Fsync(Node, Handle, dataOnly);

    /// <summary>Takes a record lock on a range; false when somebody else holds it.</summary>
    /// <param name="length">0 for everything from <paramref name="start"/> on.</param>
    public bool TryLock(long start = 0, long length = 0, bool exclusive = true)
    {
        _hadLock = true;
        try
        {
            _fuse.SetLk(Node, Handle, LockOwner, Range(start, length, exclusive ? LockFlags.F_WRLCK : LockFlags.F_RDLCK));
            return true;
        }
        catch (FuseException e) when (e.Errno is Errno.EAGAIN or Errno.EACCES)
        {
            return false;
        }
    }

    /// <summary>Takes a record lock on a range, waiting for it without end.</summary>
    public void Lock(long start = 0, long length = 0, bool exclusive = true)
    {
        _hadLock = true;
        _fuse.SetLkw(Node, Handle, LockOwner, Range(start, length, exclusive ? LockFlags.F_WRLCK : LockFlags.F_RDLCK));
    }

    public void Unlock(long start = 0, long length = 0) =>
        _fuse.SetLk(Node, Handle, LockOwner, Range(start, length, LockFlags.F_UNLCK));

    /// <summary>Takes the whole file's flock(2) lock; false when somebody else holds it.</summary>
    public bool TryFlock(bool exclusive = true)
    {
        _hadFlock = true;
        try
        {
            _fuse.Flock(Node, Handle, LockOwner, exclusive ? LockFlags.F_WRLCK : LockFlags.F_RDLCK);
            return true;
        }
        catch (FuseException e) when (e.Errno == Errno.EAGAIN)
        {
            return false;
        }
    }

    public void Unflock() => _fuse.Flock(Node, Handle, LockOwner, LockFlags.F_UNLCK);

    /// <summary>
    /// Closes the file: flush, which drops its record locks, then release. Without opens there is nothing to close but locks.
    /// </summary>
    public void Dispose()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        try
        {
            if (_fuse.Connection.WithoutOpens)
            {
                DropLocks();
            }
            else
            {
                Flush();
                _fuse.Release(Node, Handle, FuseReleaseFlags.FlockUnlock, LockOwner);
            }
        }
        finally
        {
            _reference.Dispose();
        }
    }

    private static fuse_file_lock Range(long start, long length, short type) => new()
    {
        start = (ulong)start,
        end = (ulong)(length == 0 ? long.MaxValue : start + length - 1),
        type = (uint)type,
        pid = (uint)Environment.ProcessId,
    };

    private void DropLocks()
    {
        if (_hadLock)
        {
            Flush();
        }

        if (_hadFlock)
        {
            Unflock();
        }
    }

    private void Flush()
    {
        try
        {
            _fuse.Flush(Node, Handle, LockOwner);
        }
        catch (FuseException e) when (e.Errno == Errno.ENOSYS)
        {
            // Linux takes that for success, too: a file system without flush has nothing to do there.
        }
    }
}
