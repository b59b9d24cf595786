using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

internal enum HandleKind : byte
{
    File,
    Directory,
}

/// <summary>
/// A slot of the <see cref="HandleTable"/> and what is open in it; used again after a close.
/// <para>
/// Its state is one word: generation (32 bits), closed (1 bit), resting (1 bit), uses (30 bits). Being open counts as a use, each
/// request that works with it as another; the descriptor is closed by whoever ends the last use. So a request never finds its
/// descriptor closed under it, and a handle of an earlier generation never reaches what was opened later.
/// </para>
/// <para>
/// A file that is open for writing, no program of the host can execute. So when the client has flushed it, which it does before it
/// tells a program that the file is closed, and nobody uses it, its descriptor is put to rest: it only says then which inode it
/// is (O_PATH), until the next use.
/// </para>
/// </summary>
internal sealed class OpenFile(uint index)
{
    private const long ClosedBit = 1L << 31;
    private const long RestingBit = 1L << 30;
    private const long UsesMask = RestingBit - 1;

    /// <summary>Being open, and one request.</summary>
    private const long UsedByOne = 2;

    private readonly Lock _resting = new();
    private long _state = 1L << 32;

    public uint Index { get; } = index;

    public int NextFree { get; set; } = -1;

    public int Fd { get; private set; } = -1;

    public HandleKind Kind { get; private set; }

    /// <summary>O_* that the descriptor was opened with.</summary>
    public int Flags { get; private set; }

    /// <summary>Node id of the inode, which the open file references in the <see cref="InodeTable"/>.</summary>
    public ulong Node { get; private set; }

    public ulong InodeKey { get; private set; }

    public ushort Mount { get; private set; }

    /// <summary>Something was written since it was opened: a flush has errors to ask for.</summary>
    public bool WasWritten { get; set; }

    /// <summary>A record lock was taken through it: closing it may have to end one.</summary>
    public bool HasLocks { get; set; }

    /// <summary>A flock(2) lock was taken by it, which belongs to the descriptor.</summary>
    public bool HasFlock { get; set; }

    public bool IsWritable => (Flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY;

    private bool IsResting => (Volatile.Read(ref _state) & RestingBit) != 0;

    /// <summary>A directory's reading position; used under its own lock.</summary>
    public DirectoryCursor Cursor { get; } = new();

    private uint Generation => (uint)(Volatile.Read(ref _state) >> 32);

    public ulong Handle => Index | ((ulong)Generation << 32);

    public void Open(int fd, HandleKind kind, in PinnedInode inode, int flags)
    {
        Fd = fd;
        Kind = kind;
        Flags = flags;
        Node = inode.Node;
        InodeKey = inode.Key;
        Mount = inode.Mount;
        WasWritten = false;
        HasLocks = false;
        HasFlock = false;
        Cursor.Reset();
        // Publishes the fields above to whoever sees a use.
        Interlocked.Increment(ref _state);
    }

    public bool TryUse(uint generation)
    {
        long state = Volatile.Read(ref _state);
        while (IsOpen(state, generation))
        {
            long seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    /// <summary>Ends a use; true when it was the last of a closed file.</summary>
    public bool EndUse() => (Interlocked.Decrement(ref _state) & (ClosedBit | UsesMask)) == ClosedBit;

    /// <summary>Lets nobody begin a use any more; false when it was closed already. Its own use is still to be ended.</summary>
    public bool TryClose(uint generation)
    {
        long state = Volatile.Read(ref _state);
        while (IsOpen(state, generation))
        {
            long seen = Interlocked.CompareExchange(ref _state, state | ClosedBit, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    /// <summary>Makes handles given out so far invalid for good.</summary>
    public void NextGeneration()
    {
        Fd = -1;
        uint generation = Generation + 1;
        Volatile.Write(ref _state, (long)generation << 32);
    }

    /// <summary>
    /// Closes what the descriptor has open, though the file stays open to the client. Only the caller uses it; if anybody else does,
    /// nothing happens.
    /// </summary>
    /// <param name="pathFd">An O_PATH descriptor of the same inode.</param>
    public void Rest(int pathFd)
    {
        lock (_resting)
        {
            long state = Volatile.Read(ref _state);
            bool isUsedByOne = (state & (ClosedBit | RestingBit | UsesMask)) == UsedByOne;
            // Whoever begins a use from here on finds it resting, and waits for the lock.
            if (isUsedByOne && Interlocked.CompareExchange(ref _state, state | RestingBit, state) == state && Libc.Replace(Fd, pathFd) < 0)
            {
                Interlocked.And(ref _state, ~RestingBit);
            }
        }
    }

    /// <summary>Makes the descriptor good for reading or writing again, if it rests; the caller uses the file.</summary>
    public Errno Wake()
    {
        if (!IsResting)
        {
            return Errno.None;
        }

        lock (_resting)
        {
            return IsResting ? Reopen() : Errno.None;
        }
    }

    private Errno Reopen()
    {
        int fd = Reopening.Open(Fd, Flags);
        if (fd < 0)
        {
            return fd.ToErrno();
        }

        Errno errno = Libc.Replace(Fd, fd).ToErrno();
        Libc.Close(fd);
        if (errno == Errno.None)
        {
            Interlocked.And(ref _state, ~RestingBit);
        }

        return errno;
    }

    private static bool IsOpen(long state, uint generation) =>
        (uint)(state >> 32) == generation && (state & ClosedBit) == 0 && (state & UsesMask) != 0;
}
