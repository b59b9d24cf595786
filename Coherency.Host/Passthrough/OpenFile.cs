namespace Coherency.Host.Passthrough;

internal enum HandleKind : byte
{
    File,
    Directory,
}

/// <summary>
/// A slot of the <see cref="HandleTable"/> and what is open in it; used again after a close.
/// <para>
/// Its state is one word: generation (32 bits), closed (1 bit), uses (31 bits). Being open counts as a use, each request
/// that works with it as another; the descriptor is closed by whoever ends the last use. So a request never finds its
/// descriptor closed under it, and a handle of an earlier generation never reaches what was opened later.
/// </para>
/// </summary>
internal sealed class OpenFile(uint index)
{
    private const long ClosedBit = 1L << 31;
    private const long UsesMask = ClosedBit - 1;

    private long _state = 1L << 32;

    public uint Index { get; } = index;

    public int NextFree { get; set; } = -1;

    public int Fd { get; private set; } = -1;

    public HandleKind Kind { get; private set; }

    /// <summary>Node id of the inode, which the open file references in the <see cref="InodeTable"/>.</summary>
    public ulong Node { get; private set; }

    public ulong InodeKey { get; private set; }

    public ushort Mount { get; private set; }

    /// <summary>Something was written since it was opened: a flush has errors to ask for.</summary>
    public bool WasWritten { get; set; }

    /// <summary>A record lock was taken through it: closing it may have to end one.</summary>
    public bool HasLocks { get; set; }

    /// <summary>A directory's reading position; used under its own lock.</summary>
    public DirectoryCursor Cursor { get; } = new();

    private uint Generation => (uint)(Volatile.Read(ref _state) >> 32);

    public ulong Handle => Index | ((ulong)Generation << 32);

    public void Open(int fd, HandleKind kind, in PinnedInode inode)
    {
        Fd = fd;
        Kind = kind;
        Node = inode.Node;
        InodeKey = inode.Key;
        Mount = inode.Mount;
        WasWritten = false;
        HasLocks = false;
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

    private static bool IsOpen(long state, uint generation) =>
        (uint)(state >> 32) == generation && (state & ClosedBit) == 0 && (state & UsesMask) != 0;
}
