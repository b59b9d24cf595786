using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The POSIX record locks of a session, as open-file-description locks of the host: each lock owner of the guest has, per
/// inode, a descriptor of its own that stands for it. So owners exclude each other, other sessions and processes of the
/// host, and closing the descriptor drops just this owner's locks of just this inode.
/// <para>One lock guards the table and is held across the (non-blocking) calls: a descriptor is not closed under one.</para>
/// </summary>
internal sealed class LockTable(InodeTable inodes, DescriptorBudget budget)
{
    /// <summary>Owners chosen by the guest cost a descriptor each: more than this is a guest that wants descriptors, not locks.</summary>
    private const int DescriptorsMax = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<LockHolder, HeldDescriptor> _descriptors = [];

    /// <summary>The session has ended: a request that still waited for a lock must not take one for nobody.</summary>
    private bool _closed;

    public Errno Get(in FileUse file, ulong owner, ref FileLock fileLock)
    {
        if (!TryConvert(fileLock, out flock request))
        {
            return Errno.EINVAL;
        }

        lock (_lock)
        {
            // Without locks of its own the owner may ask through any descriptor: those of record locks hold no other's.
            int fd = _descriptors.TryGetValue(new LockHolder(file.Node, owner), out HeldDescriptor held) ? held.Fd : file.Fd;
            Errno errno = Libc.FcntlLock(fd, LockFlags.F_OFD_GETLK, ref request).ToErrno();
            if (errno == Errno.None)
            {
                fileLock = Convert(request, fileLock);
            }

            return errno;
        }
    }

    public Errno Set(in FileUse file, ulong owner, in FileLock fileLock)
    {
        if (!TryConvert(fileLock, out flock request))
        {
            return Errno.EINVAL;
        }

        lock (_lock)
        {
            if (_closed)
            {
                return Errno.EBADF;
            }

            LockHolder holder = new(file.Node, owner);
            bool unlocksAll = fileLock is { Type: LockFlags.F_UNLCK, Start: 0, End: long.MaxValue };
            if (unlocksAll || (fileLock.Type == LockFlags.F_UNLCK && !_descriptors.ContainsKey(holder)))
            {
                Drop(holder);
                return Errno.None;
            }

            bool isNew = !_descriptors.TryGetValue(holder, out HeldDescriptor held);
            int fd = isNew ? Open(file, holder) : held.Fd;
            if (fd < 0)
            {
                return fd.ToErrno();
            }

            Errno errno = Libc.FcntlLock(fd, LockFlags.F_OFD_SETLK, ref request).ToErrno();
            DropIf(isNew && errno != Errno.None, holder);
            return errno == Errno.EACCES ? Errno.EAGAIN : errno;
        }
    }

    /// <summary>
    /// Takes or drops the flock(2) lock of an owner whose open file is only known to the client: a descriptor of its own stands for
    /// that.
    /// </summary>
    /// <param name="operation">LOCK_* with LOCK_NB.</param>
    public Errno SetFlock(in FileUse file, ulong owner, int operation)
    {
        LockHolder holder = new(file.Node, owner, IsFlock: true);
        lock (_lock)
        {
            if (_closed)
            {
                return Errno.EBADF;
            }

            if ((operation & LockFlags.LOCK_UN) != 0)
            {
                Drop(holder);
                return Errno.None;
            }

            bool isNew = !_descriptors.TryGetValue(holder, out HeldDescriptor held);
            int fd = isNew ? Open(file, holder) : held.Fd;
            if (fd < 0)
            {
                return fd.ToErrno();
            }

            Errno errno = Libc.Flock(fd, operation).ToErrno();
            DropIf(isNew && errno != Errno.None, holder);
            return errno;
        }
    }

    /// <summary>Drops all record locks that an owner holds on an inode: it closed the file.</summary>
    public void Drop(ulong node, ulong owner)
    {
        lock (_lock)
        {
            Drop(new LockHolder(node, owner));
        }
    }

    /// <summary>The same for a lock of <see cref="SetFlock"/>.</summary>
    public void DropFlock(ulong node, ulong owner)
    {
        lock (_lock)
        {
            Drop(new LockHolder(node, owner, IsFlock: true));
        }
    }

    /// <summary>Drops the locks of all owners on an inode.</summary>
    public void DropAllOf(ulong node)
    {
        lock (_lock)
        {
            if (_descriptors.Count == 0)
            {
                return;
            }

            foreach (LockHolder holder in _descriptors.Keys)
            {
                // Removing does not disturb the enumeration of a Dictionary.
                DropIf(holder.Node == node, holder);
            }
        }
    }

    /// <summary>
    /// Drops the locks whose owner took the first one through this open file, which is closed for good. The owner of an
    /// open-file-description lock of the guest is that open file: no flush names it, so this is how it ends. A process that
    /// owns record locks has flushed before.
    /// </summary>
    public void DropThrough(OpenFile file)
    {
        lock (_lock)
        {
            foreach ((LockHolder holder, HeldDescriptor held) in _descriptors)
            {
                if (held.Handle == file.Handle)
                {
                    // Removing does not disturb the enumeration of a Dictionary.
                    _descriptors.Remove(holder);
                    Close(holder.Node, held.Fd);
                }
            }
        }
    }

    /// <summary>Drops everything, for good.</summary>
    public void DropAll()
    {
        lock (_lock)
        {
            _closed = true;
            foreach ((LockHolder holder, HeldDescriptor held) in _descriptors)
            {
                Close(holder.Node, held.Fd);
            }

            _descriptors.Clear();
        }
    }

    private int Open(in FileUse file, LockHolder holder)
    {
        if (_descriptors.Count >= DescriptorsMax || !budget.TryTake())
        {
            return -(int)Errno.ENOLCK;
        }

        int fd = Reopen(file.Fd);
        if (fd < 0)
        {
            budget.Return();
            return fd;
        }

        PinnedInode inode = inodes.Pin(file.Node);
        inode.Keep();
        if (file.Opened is { } opened)
        {
            opened.HasLocks = true;
        }

        _descriptors.Add(holder, new HeldDescriptor(fd, file.Opened?.Handle ?? 0));
        return fd;
    }

    private void DropIf(bool condition, LockHolder holder)
    {
        if (condition)
        {
            Drop(holder);
        }
    }

    private void Drop(LockHolder holder)
    {
        if (_descriptors.Count > 0 && _descriptors.Remove(holder, out HeldDescriptor held))
        {
            Close(holder.Node, held.Fd);
        }
    }

    /// <summary>Opens the same inode once more: for both, since a write lock needs the one and a read lock the other.</summary>
    private static unsafe int Reopen(int fd)
    {
        ProcPath path = new(fd);
        int reopened = -1;
        foreach (int access in (ReadOnlySpan<int>)[OpenFlags.O_RDWR, OpenFlags.O_RDONLY, OpenFlags.O_WRONLY])
        {
            reopened = Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, access | OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY);
            if (reopened >= 0)
            {
                break;
            }
        }

        return reopened;
    }

    private void Close(ulong node, int fd)
    {
        Libc.Close(fd);
        budget.Return();
        inodes.Release(node);
    }

    private static bool TryConvert(in FileLock fileLock, out flock request)
    {
        request = new flock { l_type = fileLock.Type, l_start = fileLock.Start };
        request.l_len = fileLock.End == long.MaxValue ? 0 : fileLock.End - fileLock.Start + 1;
        return fileLock.Start >= 0 && fileLock.End >= fileLock.Start
            && fileLock.Type is LockFlags.F_RDLCK or LockFlags.F_WRLCK or LockFlags.F_UNLCK;
    }

    private static FileLock Convert(in flock found, in FileLock asked)
    {
        if (found.l_type == LockFlags.F_UNLCK)
        {
            return asked with { Type = LockFlags.F_UNLCK };
        }

        return new FileLock
        {
            Type = found.l_type,
            Start = found.l_start,
            End = found.l_len == 0 ? long.MaxValue : found.l_start + found.l_len - 1,
            // The kernel has -1 for the owner of an open-file-description lock; guests know no such process.
            Pid = (uint)Math.Max(found.l_pid, 0),
        };
    }

    private readonly record struct LockHolder(ulong Node, ulong Owner, bool IsFlock = false);

    /// <param name="Handle">The open file through which the owner first locked; 0 if it was known by its node.</param>
    private readonly record struct HeldDescriptor(int Fd, ulong Handle);
}
