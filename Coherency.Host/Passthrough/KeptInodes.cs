using System.Runtime.InteropServices;
using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Inodes of a share that go on to exist though their names may go: an O_PATH descriptor each, which nobody works with. While it is
/// open, the inode's handle opens it. It is closed when the last of those goes that keep the inode: sessions that hold it, and
/// removals of its names that are under way. Thread-safe; the lock is held across no system call.
/// </summary>
internal sealed class KeptInodes(DescriptorBudget budget)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Kept> _kept = [];
    private int _count;

    public bool Has(ulong node)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return false;
        }

        lock (_lock)
        {
            return _kept.ContainsKey(node);
        }
    }

    /// <summary>Keeps an inode for one more; ENFILE when there is no descriptor, or why it cannot be opened.</summary>
    /// <param name="isRemoved">It loses a name, and is not likely to be asked for again.</param>
    public Errno Add(PassthroughShare share, scoped in PinnedInode inode, bool isRemoved)
    {
        if (TryAddKeeper(inode.Node))
        {
            return Errno.None;
        }

        if (!budget.TryTake())
        {
            return Errno.ENFILE;
        }

        int fd = share.OpenPathForGood(inode, mayTakeCached: isRemoved);
        if (fd >= 0 && TryAdd(inode.Node, fd))
        {
            return Errno.None;
        }

        // Another thread was first, or it is gone.
        budget.Return();
        return fd < 0 ? fd.ToErrno() : Libc.Close(fd).ToErrno();
    }

    /// <summary>Keeps it for one less.</summary>
    public void Remove(ulong node)
    {
        int fd;
        lock (_lock)
        {
            // SAFETY (all of this type): under the lock, and done with before the dictionary changes. Here it is not
            // null: each who removes has added before (SessionKeeps, NameTarget).
            ref Kept kept = ref CollectionsMarshal.GetValueRefOrNullRef(_kept, node);
            if (--kept.Keepers > 0)
            {
                return;
            }

            fd = kept.Fd;
            _kept.Remove(node);
            _count--;
        }

        Libc.Close(fd);
        budget.Return();
    }

    private bool TryAddKeeper(ulong node)
    {
        lock (_lock)
        {
            ref Kept kept = ref CollectionsMarshal.GetValueRefOrNullRef(_kept, node);
            bool exists = !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref kept);
            if (exists)
            {
                kept.Keepers++;
            }

            return exists;
        }
    }

    /// <summary>True when the descriptor was taken over; in any case the inode is kept for one more.</summary>
    private bool TryAdd(ulong node, int fd)
    {
        lock (_lock)
        {
            ref Kept kept = ref CollectionsMarshal.GetValueRefOrAddDefault(_kept, node, out bool exists);
            kept.Keepers++;
            if (!exists)
            {
                kept.Fd = fd;
                _count++;
            }

            return !exists;
        }
    }

    private struct Kept
    {
        public int Fd;
        public int Keepers;
    }
}
