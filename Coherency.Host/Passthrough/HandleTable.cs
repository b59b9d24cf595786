using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The files and directories that a session has open. A handle is slot number and generation. Finding one takes no lock;
/// <see cref="_lock"/> guards the free list and the growth of the array, of which readers always see a complete one.
/// </summary>
internal sealed class HandleTable(int openMax, InodeTable inodes, DescriptorAccount account)
{
    private readonly Lock _lock = new();
    private OpenFile[] _slots = new OpenFile[64];
    private int _slotCount;
    private int _free = -1;
    private int _open;

    public int OpenCount => Volatile.Read(ref _open);

    /// <summary>Makes room for one more open file before it is opened; ENFILE when there is none.</summary>
    public Errno Reserve()
    {
        if (Interlocked.Increment(ref _open) <= openMax && account.TryTake())
        {
            return Errno.None;
        }

        Interlocked.Decrement(ref _open);
        return Errno.ENFILE;
    }

    public void CancelReservation()
    {
        Interlocked.Decrement(ref _open);
        account.Return();
    }

    /// <summary>Takes ownership of a descriptor, for which room was reserved, and of the reference to its inode.</summary>
    /// <param name="flags">O_* that it was opened with.</param>
    public FileHandle Add(int fd, HandleKind kind, ref PinnedInode inode, int flags)
    {
        OpenFile file = TakeSlot();
        file.Open(fd, kind, inode, flags);
        inode.Keep();
        return new FileHandle(file.Handle);
    }

    /// <summary>Keeps an open file open until the result is disposed; empty if it is not one of that kind.</summary>
    public HandleUse Use(FileHandle handle, HandleKind kind)
    {
        OpenFile? file = Find(handle);
        if (file is null || !file.TryUse(GenerationOf(handle)))
        {
            return default;
        }

        HandleUse use = new(this, file);
        if (file.Kind == kind)
        {
            return use;
        }

        use.Dispose();
        return default;
    }

    /// <summary>Closes a handle: at once, or when the last request that uses it ends.</summary>
    public bool Close(FileHandle handle, HandleKind kind)
    {
        using HandleUse use = Use(handle, kind);
        if (use.IsEmpty || !use.File.TryClose(GenerationOf(handle)))
        {
            return false;
        }

        // The use that being open counted as; the one of this method follows.
        use.File.EndUse();
        return true;
    }

    public void CloseAll()
    {
        for (int i = 0; i < Volatile.Read(ref _slotCount); i++)
        {
            FileHandle handle = new(_slots[i].Handle);
            _ = Close(handle, _slots[i].Kind);
        }
    }

    public void EndUse(OpenFile file)
    {
        if (file.EndUse())
        {
            Recycle(file);
        }
    }

    private OpenFile? Find(FileHandle handle)
    {
        uint index = (uint)handle.Value;
        OpenFile[] slots = Volatile.Read(ref _slots);
        return index < (uint)slots.Length ? slots[index] : null;
    }

    private static uint GenerationOf(FileHandle handle) => (uint)(handle.Value >> 32);

    private OpenFile TakeSlot()
    {
        lock (_lock)
        {
            if (_free < 0)
            {
                return AddSlot();
            }

            OpenFile file = _slots[_free];
            _free = file.NextFree;
            return file;
        }
    }

    private OpenFile AddSlot()
    {
        if (_slotCount == _slots.Length)
        {
            OpenFile[] larger = new OpenFile[_slots.Length * 2];
            _slots.CopyTo(larger, 0);
            Volatile.Write(ref _slots, larger);
        }

        OpenFile file = new((uint)_slotCount);
        Volatile.Write(ref _slots[_slotCount], file);
        Volatile.Write(ref _slotCount, _slotCount + 1);
        return file;
    }

    private void Recycle(OpenFile file)
    {
        Libc.Close(file.Fd);
        inodes.Release(file.Node);
        CancelReservation();
        file.NextGeneration();
        lock (_lock)
        {
            file.NextFree = _free;
            _free = (int)file.Index;
        }
    }
}

/// <summary>An open file in use by a request.</summary>
internal readonly ref struct HandleUse(HandleTable table, OpenFile file)
{
    private readonly HandleTable? _table = table;

    public OpenFile File { get; } = file;

    public bool IsEmpty => _table is null;

    public void Dispose() => _table?.EndUse(File);
}
