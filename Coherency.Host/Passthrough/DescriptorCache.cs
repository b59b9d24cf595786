using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Descriptors kept open because they may be needed again, by node id: sets of eight places, in which the place not
/// used for longest (about: clock) is given up first. A place in use is never given up. Each set has a spin lock, held for
/// a few loads and stores and never across a system call that could wait. An inode's descriptor goes when the inode leaves the
/// <see cref="InodeTable"/>, so a node id that comes to mean another inode is never found here.
/// </summary>
internal sealed class DescriptorCache : IDisposable
{
    private const int Ways = 8;

    private readonly Place[] _places;
    private readonly SetState[] _sets;
    private readonly int _setMask;
    private readonly DescriptorBudget _budget;

    /// <param name="capacity">Rounded down to a power of two, and to a quarter of the budget.</param>
    public DescriptorCache(int capacity, DescriptorBudget budget)
    {
        int affordable = Math.Max(Math.Min(capacity, budget.Limit / 4), Ways);
        int sets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)((affordable / Ways) + 1)) / 2;
        sets = Math.Max(sets, 1);
        _budget = budget;
        _sets = new SetState[sets];
        _setMask = sets - 1;
        _places = new Place[sets * Ways];
        _places.AsSpan().Fill(new Place { Fd = -1 });
    }

    /// <summary>Finds a descriptor and keeps it in place until <see cref="Unpin"/>; -1 if there is none.</summary>
    public int TryPin(ulong node, out int place)
    {
        int set = SetOf(node);
        EnterSet(set);
        place = Find(set, node);
        int fd = place < 0 ? -1 : PinPlace(place);
        ExitSet(set);
        return fd;
    }

    /// <summary>
    /// Takes ownership of a new descriptor and pins it, or the one that another thread brought first.
    /// </summary>
    /// <param name="isOfSubmount">It keeps the host from unmounting something.</param>
    /// <param name="place">
    /// -1 when every place of the set is in use, or the budget allows no more: the caller still owns the descriptor.
    /// </param>
    public int InsertPinned(ulong node, int fd, bool isOfSubmount, out int place)
    {
        int unneeded = -1;
        int set = SetOf(node);
        EnterSet(set);
        place = Find(set, node);
        if (place >= 0)
        {
            unneeded = fd;
        }
        else
        {
            place = ChooseVictim(set);
            if (place >= 0 && _places[place].Fd < 0 && !_budget.TryTakeForCache())
            {
                place = FindUnpinned(set);
            }

            if (place >= 0)
            {
                unneeded = _places[place].Fd;
                _places[place] = new Place { Node = node, Fd = fd, IsOfSubmount = isOfSubmount };
            }
        }

        int pinned = place < 0 ? fd : PinPlace(place);
        ExitSet(set);
        CloseIfOpen(unneeded);
        return pinned;
    }

    public void Unpin(int place)
    {
        int set = place / Ways;
        EnterSet(set);
        _places[place].Pins--;
        ExitSet(set);
    }

    /// <summary>
    /// Hands over an unused descriptor of the inode, which then has none here; -1 if there is none. Of an inode that nobody references
    /// any more none is in use.
    /// </summary>
    public int TryTake(ulong node)
    {
        int set = SetOf(node);
        EnterSet(set);
        int place = Find(set, node);
        int fd = -1;
        if (place >= 0 && _places[place].Pins == 0)
        {
            fd = _places[place].Fd;
            _places[place] = new Place { Fd = -1 };
            _budget.ReturnFromCache();
        }

        ExitSet(set);
        return fd;
    }

    /// <summary>Closes what was not used since the last time that this was called.</summary>
    public void CloseUnused()
    {
        for (int place = 0; place < _places.Length; place++)
        {
            // An unlocked look, for most places are empty.
            CloseTaken(Volatile.Read(ref _places[place].Fd) < 0 ? -1 : TakeIfUnused(place));
        }
    }

    /// <summary>Closes those that keep the host from unmounting something, unless used since the last time that this was called.</summary>
    public void CloseUnusedOfSubmounts()
    {
        for (int place = 0; place < _places.Length; place++)
        {
            // An unlocked look, for most places are empty or the root's.
            CloseTaken(Volatile.Read(ref _places[place].IsOfSubmount) ? TakeIfUnused(place) : -1);
        }
    }

    /// <summary>
    /// Closes those of files without a name, which hold the files' space, unless one was used since the last time that this was
    /// called.
    /// </summary>
    public void CloseRemoved()
    {
        for (int place = 0; place < _places.Length; place++)
        {
            // An unlocked look, for many places are empty.
            CloseTaken(Volatile.Read(ref _places[place].Fd) < 0 ? -1 : TakeIfRemoved(place));
        }
    }

    public void Dispose()
    {
        foreach (Place place in _places)
        {
            CloseTaken(place.Fd);
        }
    }

    private int TakeIfRemoved(int place)
    {
        EnterSet(place / Ways);
        // Not a pin: the inode could leave the table meanwhile, and has to take an unpinned descriptor along.
        int fd = _places[place].Fd;
        bool isRemoved = fd >= 0 && HasNoName(fd);
        ExitSet(place / Ways);
        return isRemoved ? TakeIfUnused(place) : -1;
    }

    /// <summary>As far as the kernel knows without asking anybody: this is called with a set locked.</summary>
    private static unsafe bool HasNoName(int fd) =>
        Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH | OpenFlags.AT_STATX_DONT_SYNC, StatFlags.STATX_BASIC_STATS,
            out statx attributes) >= 0 && attributes.stx_nlink == 0;

    private int TakeIfUnused(int place)
    {
        int fd = -1;
        EnterSet(place / Ways);
        if (_places[place].Pins == 0)
        {
            if (!_places[place].WasUsed)
            {
                fd = _places[place].Fd;
                _places[place] = new Place { Fd = -1 };
            }

            _places[place].WasUsed = false;
        }

        ExitSet(place / Ways);
        return fd;
    }

    private int PinPlace(int place)
    {
        _places[place].Pins++;
        _places[place].WasUsed = true;
        return _places[place].Fd;
    }

    private int Find(int set, ulong node)
    {
        int first = set * Ways;
        for (int place = first; place < first + Ways; place++)
        {
            if (_places[place].Node == node && _places[place].Fd >= 0)
            {
                return place;
            }
        }

        return -1;
    }

    private int ChooseVictim(int set)
    {
        // Two rounds: the first may only take away the marks of use.
        for (int i = 0; i < 2 * Ways; i++)
        {
            int place = (set * Ways) + (int)(_sets[set].Hand++ % Ways);
            if (_places[place].Pins == 0 && !_places[place].WasUsed)
            {
                return place;
            }

            _places[place].WasUsed = false;
        }

        return -1;
    }

    /// <summary>One to give up for another where the budget has none for an empty place; -1 if all are in use or empty.</summary>
    private int FindUnpinned(int set)
    {
        int first = set * Ways;
        for (int place = first; place < first + Ways; place++)
        {
            if (_places[place].Fd >= 0 && _places[place].Pins == 0)
            {
                return place;
            }
        }

        return -1;
    }

    /// <summary>Sets take the middle bits: the high ones pick the shard of the inode table.</summary>
    private int SetOf(ulong node) => (int)(node >> 24) & _setMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EnterSet(int set)
    {
        if (Interlocked.CompareExchange(ref _sets[set].Locked, 1, 0) != 0)
        {
            Spin(set);
        }
    }

    private void Spin(int set)
    {
        SpinWait spin = default;
        while (Interlocked.CompareExchange(ref _sets[set].Locked, 1, 0) != 0)
        {
            spin.SpinOnce();
        }
    }

    private void ExitSet(int set) => Volatile.Write(ref _sets[set].Locked, 0);

    private void CloseTaken(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
            _budget.ReturnFromCache();
        }
    }

    private static void CloseIfOpen(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
        }
    }

    private struct Place
    {
        public ulong Node;
        public int Fd;
        public int Pins;
        public bool WasUsed;
        public bool IsOfSubmount;
    }

    /// <summary>A cache line each: threads that work in different sets do not slow each other down.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct SetState
    {
        public int Locked;
        public uint Hand;
    }
}
