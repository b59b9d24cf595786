using Coherency.Core.Linux;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The POSIX record locks of a session, as open-file-description locks of the host: each lock owner of the guest has, per
/// inode, a descriptor of its own that stands for it. So owners exclude each other, other sessions and processes of the
/// host, and closing the descriptor drops just this owner's locks of just this inode.
/// <para>
/// The session's own operations are carried out one at a time, so that no descriptor is closed under a call: the lock for that is
/// held across system calls, which may take long on a file system that stands still. What other sessions look at has a lock of its
/// own, which is not.
/// </para>
/// </summary>
/// <remarks>
/// While a file is open for writing, no program of the host can execute it. So descriptors are, for only as long as their owner
/// has locked something for writing, which asks for it.
/// </remarks>
internal sealed class LockTable : IDisposable
{
    /// <summary>Owners chosen by the guest cost a descriptor each: more than this is a guest that wants descriptors, not locks.</summary>
    private const int DescriptorsMax = 1024;

    /// <summary>Ranges of all owners: more is a guest that wants memory, of the daemon and of the host's kernel.</summary>
    private const int RangesMax = 65536;

    /// <summary>What is kept to be used again has no room for more: it would be memory that nobody counts.</summary>
    private const int RangesOfUnusedMax = 16;

    private readonly InodeTable _inodes;
    private readonly DescriptorAccount _account;
    private readonly Lock _operation = new();

    /// <summary>
    /// Guards what is changed of <see cref="_held"/>, with <see cref="_operation"/> held, and what is read of it without.
    /// </summary>
    private readonly Lock _lock = new();
    private readonly Dictionary<LockHolder, HeldLocks> _held = [];
    private readonly Stack<HeldLocks> _unused = [];
    private int _ranges;

    /// <summary>The session has ended: a request that still waited for a lock must not take one for nobody.</summary>
    private bool _closed;

    public LockTable(InodeTable inodes, DescriptorAccount account)
    {
        _inodes = inodes;
        _account = account;
    }

    public Errno Get(in FileUse file, ulong owner, ref FileLock fileLock)
    {
        if (!TryConvert(fileLock, out flock request))
        {
            return Errno.EINVAL;
        }

        lock (_operation)
        {
            LockHolder asking = new(file.Node, owner);
            _held.TryGetValue(asking, out HeldLocks? own);
            Errno errno = Ask(file, own, ref request);
            if (errno == Errno.None)
            {
                fileLock = Convert(request, fileLock);
                // Without a process: an open-file-description lock, perhaps one of this table.
                fileLock.Pid = fileLock.Pid == 0 ? FindProcess(asking, fileLock) : fileLock.Pid;
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

        lock (_operation)
        {
            LockHolder holder = new(file.Node, owner);
            _held.TryGetValue(holder, out HeldLocks? held);
            bool unlocks = fileLock.Type == LockFlags.F_UNLCK;
            if (_closed || (unlocks && (held is null || fileLock is { Start: 0, End: long.MaxValue })))
            {
                Drop(holder);
                return _closed ? Errno.EBADF : Errno.None;
            }

            if (!unlocks && _ranges >= RangesMax)
            {
                return Errno.ENOLCK;
            }

            Errno errno = Prepare(file, holder, fileLock, ref held);
            if (errno != Errno.None)
            {
                return errno;
            }

            errno = Libc.FcntlLock(held!.Fd, LockFlags.F_OFD_SETLK, ref request).ToErrno();
            Settle(file, holder, held, errno == Errno.None ? fileLock : null);
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
        lock (_operation)
        {
            if (_closed || (operation & LockFlags.LOCK_UN) != 0)
            {
                Drop(holder);
                return _closed ? Errno.EBADF : Errno.None;
            }

            bool isNew = !_held.TryGetValue(holder, out HeldLocks? held);
            Errno errno = isNew ? Open(file, holder, forWriting: false, out held) : Errno.None;
            if (errno != Errno.None)
            {
                return errno;
            }

            errno = Libc.Flock(held!.Fd, operation).ToErrno();
            if (errno == Errno.EBADF)
            {
                // File systems of other machines make a record lock of it.
                errno = Reopen(file, held, forWriting: true);
                errno = errno == Errno.None ? Libc.Flock(held.Fd, operation).ToErrno() : errno;
            }

            // The kernel gives the one up before it asks for the other.
            DropIf((isNew && errno != Errno.None) || errno == Errno.EAGAIN, holder);
            return errno;
        }
    }

    /// <summary>Drops all record locks that an owner holds on an inode: it closed the file.</summary>
    public void Drop(ulong node, ulong owner)
    {
        lock (_operation)
        {
            Drop(new LockHolder(node, owner));
        }
    }

    /// <summary>The same for a lock of <see cref="SetFlock"/>.</summary>
    public void DropFlock(ulong node, ulong owner)
    {
        lock (_operation)
        {
            Drop(new LockHolder(node, owner, IsFlock: true));
        }
    }

    /// <summary>Drops the locks of all owners on an inode.</summary>
    public void DropAllOf(ulong node)
    {
        lock (_operation)
        {
            if (_held.Count == 0)
            {
                return;
            }

            foreach (LockHolder holder in _held.Keys)
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
        lock (_operation)
        {
            foreach ((LockHolder holder, HeldLocks held) in _held)
            {
                // Removing does not disturb the enumeration of a Dictionary.
                DropIf(held.Handle == file.Handle, holder);
            }
        }
    }

    /// <summary>Drops everything, for good.</summary>
    public void Dispose()
    {
        lock (_operation)
        {
            _closed = true;
            foreach (LockHolder holder in _held.Keys)
            {
                Drop(holder);
            }
        }
    }

    /// <summary>An owner has locks of one kind on an inode.</summary>
    public bool Holds(ulong node, ulong owner, bool isFlock)
    {
        lock (_lock)
        {
            return _held.ContainsKey(new LockHolder(node, owner, isFlock));
        }
    }

    /// <summary>See <see cref="ShareSessions.FindLockHolders"/>.</summary>
    public void FindHolders(ulong inodeKey, LockOwner wanting, in FileLock wanted, List<LockOwner> holders)
    {
        lock (_lock)
        {
            foreach ((LockHolder holder, HeldLocks held) in _held)
            {
                LockOwner owner = new(this, holder.Owner);
                if (!holder.IsFlock && held.InodeKey == inodeKey && owner != wanting && held.Ranges.StandInTheWayOf(wanted))
                {
                    holders.Add(owner);
                }
            }
        }
    }

    /// <summary>Finds the process of another owner of this table by a lock of it.</summary>
    private uint FindProcess(LockHolder asking, in FileLock found)
    {
        FileLock any = found with { Type = found.Type == LockFlags.F_UNLCK ? found.Type : LockFlags.F_WRLCK };
        foreach ((LockHolder holder, HeldLocks held) in _held)
        {
            bool isOther = holder.Node == asking.Node && holder.Owner != asking.Owner && !holder.IsFlock;
            if (isOther && any.Type != LockFlags.F_UNLCK && held.Ranges.StandInTheWayOf(any))
            {
                return held.Pid;
            }
        }

        return 0;
    }

    /// <summary>Asks the host which lock stands in the way. Without locks of its own the owner may ask through any descriptor.</summary>
    private static Errno Ask(in FileUse file, HeldLocks? own, ref flock request) =>
        Libc.FcntlLock(own?.Fd ?? file.Fd, LockFlags.F_OFD_GETLK, ref request).ToErrno();

    /// <summary>Gets a descriptor that can take a lock, if the lock is free: not to open a file for writing in vain.</summary>
    private Errno Prepare(in FileUse file, LockHolder holder, in FileLock wanted, ref HeldLocks? held)
    {
        bool forWriting = wanted.Type == LockFlags.F_WRLCK;
        if (held is not null && (held.IsWritable || !forWriting))
        {
            return Errno.None;
        }

        TryConvert(wanted, out flock asked);
        Errno errno = Ask(file, held, ref asked);
        if (errno != Errno.None || asked.l_type != LockFlags.F_UNLCK)
        {
            return errno != Errno.None ? errno : Errno.EAGAIN;
        }

        return held is null ? Open(file, holder, forWriting, out held) : Reopen(file, held, forWriting);
    }

    /// <summary>After a lock was tried: notes what is locked now, and gives up what is not needed for that.</summary>
    /// <param name="done">What has changed, if anything.</param>
    private void Settle(in FileUse file, LockHolder holder, HeldLocks held, FileLock? done)
    {
        if (done is { } fileLock)
        {
            _ranges -= held.Ranges.Count;
            lock (_lock)
            {
                held.Ranges.Set(fileLock);
            }

            _ranges += held.Ranges.Count;
            held.Pid = fileLock.Type == LockFlags.F_UNLCK ? held.Pid : fileLock.Pid;
        }

        if (held.Ranges.Count == 0)
        {
            Drop(holder);
        }
        else if (held.IsWritable && !held.Ranges.AnyWrite)
        {
            // Where it fails, the locks stay with the descriptor that has them.
            _ = Reopen(file, held, forWriting: false);
        }
    }

    private Errno Open(in FileUse file, LockHolder holder, bool forWriting, out HeldLocks? held)
    {
        held = null;
        if (_held.Count >= DescriptorsMax || !_account.TryTake())
        {
            return Errno.ENOLCK;
        }

        int fd = OpenAgain(file.Fd, forWriting);
        if (fd < 0)
        {
            _account.Return();
            return fd.ToErrno();
        }

        PinnedInode inode = _inodes.Pin(file.Node);
        inode.Keep();
        if (file.Opened is { } opened)
        {
            opened.HasLocks = true;
        }

        held = _unused.TryPop(out HeldLocks? unused) ? unused : new HeldLocks();
        held.Begin(fd, forWriting, file.InodeKey, file.Opened?.Handle ?? 0);
        lock (_lock)
        {
            _held.Add(holder, held);
        }

        return Errno.None;
    }

    /// <summary>
    /// Exchanges an owner's descriptor, while all its locks are for reading: those the new one takes before the old one gives them
    /// up, so that nobody else can come in between.
    /// </summary>
    private static Errno Reopen(in FileUse file, HeldLocks held, bool forWriting)
    {
        int fd = OpenAgain(file.Fd, forWriting);
        if (fd < 0)
        {
            return fd.ToErrno();
        }

        Errno errno = held.Ranges.TakeThrough(fd);
        if (errno != Errno.None)
        {
            Libc.Close(fd);
            return errno;
        }

        Libc.Close(held.Fd);
        held.Fd = fd;
        held.IsWritable = forWriting;
        return Errno.None;
    }

    /// <summary>Opens the same inode once more: a write lock asks for a descriptor to write by, a read lock for one to read by.</summary>
    private static int OpenAgain(int fd, bool forWriting)
    {
        const int flags = OpenFlags.O_NONBLOCK | OpenFlags.O_NOCTTY | OpenFlags.O_APPEND;
        int reopened = Reopening.Open(fd, flags | (forWriting ? OpenFlags.O_RDWR : OpenFlags.O_RDONLY));
        return reopened == -(int)Errno.EACCES && forWriting ? Reopening.Open(fd, flags | OpenFlags.O_WRONLY) : reopened;
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
        if (TryRemove(holder, out HeldLocks? held))
        {
            _ranges -= held.Ranges.Count;
            Libc.Close(held.Fd);
            _account.Return();
            _inodes.Release(holder.Node);
            if (held.Ranges.Capacity <= RangesOfUnusedMax)
            {
                _unused.Push(held);
            }
        }
    }

    private bool TryRemove(LockHolder holder, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out HeldLocks? held)
    {
        held = null;
        if (_held.Count == 0)
        {
            return false;
        }

        lock (_lock)
        {
            return _held.Remove(holder, out held);
        }
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

    /// <summary>What an owner has locked in one file, and the descriptor that stands for it; used again for others.</summary>
    private sealed class HeldLocks
    {
        public int Fd { get; set; }

        public bool IsWritable { get; set; }

        public ulong InodeKey { get; private set; }

        /// <summary>The open file through which the owner first locked; 0 if it was known by its node.</summary>
        public ulong Handle { get; private set; }

        /// <summary>The process that locked last, as the guest counts processes.</summary>
        public uint Pid { get; set; }

        /// <summary>Of a record lock.</summary>
        public LockRanges Ranges { get; } = new();

        public void Begin(int fd, bool isWritable, ulong inodeKey, ulong handle)
        {
            Fd = fd;
            IsWritable = isWritable;
            InodeKey = inodeKey;
            Handle = handle;
            Pid = 0;
            Ranges.Clear();
        }
    }
}
