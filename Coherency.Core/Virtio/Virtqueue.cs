using System.Runtime.CompilerServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Virtio.Abi;

namespace Coherency.Core.Virtio;

/// <summary>Where a ring lies, in the front end's address space, and how it is used.</summary>
/// <param name="Entries">A power of two, at most <see cref="VirtqueueLayout.EntriesMax"/>.</param>
public readonly record struct VirtqueueSetup(uint Entries, ulong Descriptors, ulong Available, ulong Used, VirtioFeatures Features);

/// <summary>
/// Device side of a split virtqueue (VIRTIO 1.2, section 2.7). The driver may write every byte of the ring at any time: each
/// is read once, into a local, and judged there.
/// </summary>
/// <remarks>
/// <see cref="TryPop"/>, <see cref="TryReadChain"/> and the notification methods belong to the queue's one thread;
/// <see cref="Push"/> may be called by any thread.
/// </remarks>
public sealed unsafe class Virtqueue
{
    private readonly VirtqueueSetup _setup;
    private readonly uint _mask;
    private readonly bool _eventIdx;
    private readonly Lock _usedLock = new();
    private GuestMemory _memory;

    /// <summary>Where the ring lies: an earlier one than <see cref="_memory"/> while the front end moves its memory.</summary>
    private GuestMemory _ringMemory;
    private bool _isPlaced;
    // SAFETY: Locate found each of the three whole within one region, aligned (16, 2 and 4 bytes), its pages there
    // where the kernel can tell. _ringMemory keeps that mapped until Close. Who looks without the lock leads the queue,
    // and has ended before Close (QueueWorker.Dispose); who holds the lock finds null then. Indices are reduced by
    // _mask or compared with Entries, the guest's after they were read once.
    private vring_desc* _descriptors;
    private byte* _available;
    private byte* _used;
    private ushort _nextAvailable;
    private ushort _nextUsed;
    private ushort _signalledUsed;
    private bool _signalledValid;

    /// <param name="nextAvailable">The first entry not yet taken (SET_VRING_BASE).</param>
    /// <exception cref="VirtqueueException">The ring is not where the front end says.</exception>
    public Virtqueue(in VirtqueueSetup setup, GuestMemory memory, ushort nextAvailable)
    {
        _setup = setup;
        _mask = setup.Entries - 1;
        _eventIdx = setup.Features.HasFlag(VirtioFeatures.EventIdx);
        _nextAvailable = nextAvailable;
        _memory = memory;
        _ringMemory = memory;
        Locate();
        memory.Acquire();
        memory.Acquire();

        _nextUsed = Volatile.Read(ref Used->idx);
    }

    /// <summary>The first entry not yet taken (what GET_VRING_BASE answers).</summary>
    public ushort NextAvailable => _nextAvailable;

    public uint Entries => _setup.Entries;

    /// <summary>The memory that descriptors are looked up in.</summary>
    public GuestMemory Memory => _memory;

    private vring_avail* Available => (vring_avail*)_available;

    private vring_used* Used => (vring_used*)_used;

    /// <summary>
    /// The ring lies in the present memory. While it does not, only <see cref="UseMemory"/> and <see cref="Push"/> may be called.
    /// </summary>
    public bool IsPlaced => _isPlaced;

    /// <summary>Goes over to memory that the front end has changed.</summary>
    /// <remarks>
    /// A front end that moves memory takes a region away before it adds it again. What is given back meanwhile goes into the ring
    /// as it was mapped before: the memory is the same.
    /// </remarks>
    /// <exception cref="VirtqueueException">The ring is not in the new memory; it is no more <see cref="IsPlaced"/>.</exception>
    public void UseMemory(GuestMemory memory)
    {
        lock (_usedLock)
        {
            if (ReferenceEquals(memory, _memory))
            {
                return;
            }

            GuestMemory old = _memory;
            _memory = memory.Acquire();
            old.Release();
            _isPlaced = false;
            Locate();
            _ringMemory.Release();
            _ringMemory = memory.Acquire();
        }
    }

    /// <summary>Gives the guest's memory back; nothing may be called afterwards but <see cref="NextAvailable"/>.</summary>
    public void Close()
    {
        lock (_usedLock)
        {
            _descriptors = null;
            _available = null;
            _used = null;
            _isPlaced = false;
            _memory.Release();
            _ringMemory.Release();
        }
    }

    /// <summary>Entries waiting to be taken.</summary>
    /// <exception cref="VirtqueueException">The driver claims more than the ring holds.</exception>
    public int CountAvailable()
    {
        ushort count = (ushort)(Volatile.Read(ref Available->idx) - _nextAvailable);
        return count <= _setup.Entries
            ? count
            : throw new VirtqueueException($"the available index is {count} entries ahead, the ring has {_setup.Entries}");
    }

    /// <summary>The same for whoever only looks on, on any thread: what the driver claims beyond the ring does not count.</summary>
    public int CountWaiting()
    {
        lock (_usedLock)
        {
            return IsPlaced ? (int)Math.Min((ushort)(Volatile.Read(ref Available->idx) - _nextAvailable), _setup.Entries) : 0;
        }
    }

    /// <summary>Takes the next entry; false when there is none.</summary>
    /// <exception cref="VirtqueueException">An index is out of range.</exception>
    public bool TryPop(out ushort head)
    {
        head = 0;
        if (CountAvailable() == 0)
        {
            return false;
        }

        // SAFETY: the ring has Entries heads. Which one it is, is this side's number, reduced by _mask.
        ushort* ring = (ushort*)(_available + sizeof(vring_avail));
        head = Volatile.Read(ref ring[_nextAvailable & _mask]);
        if (head >= _setup.Entries)
        {
            throw new VirtqueueException($"head {head} is not in a table of {_setup.Entries} descriptors");
        }

        _nextAvailable++;
        return true;
    }

    /// <summary>
    /// Walks the chain that starts at <paramref name="head"/> and adds its buffers to <paramref name="request"/>; false with the
    /// reason when the chain is malformed. Buffers outside the memory are left out, so that there may be room for saying so.
    /// </summary>
    public bool TryReadChain(ushort head, FuseRequest request, out string? problem)
    {
        ChainWalk walk = new() { Table = _descriptors, Entries = _setup.Entries, LengthMax = _setup.Entries };
        uint index = head;
        while (true)
        {
            // SAFETY: index is below walk.Entries: TryPop has compared a head, what follows is compared below, and an
            // indirect table has at least one.
            vring_desc descriptor = ReadOnce(walk.Table + index);
            if ((descriptor.flags & VringFlags.VRING_DESC_F_INDIRECT) != 0)
            {
                if (!TryEnterIndirect(descriptor, ref walk, out problem))
                {
                    return false;
                }

                index = 0;
                continue;
            }

            if (!TryAddBuffer(descriptor, ref walk, request, out problem))
            {
                return false;
            }

            if ((descriptor.flags & VringFlags.VRING_DESC_F_NEXT) == 0)
            {
                problem = walk.Unreachable;
                return problem == null;
            }

            index = descriptor.next;
            if (index >= walk.Entries)
            {
                problem = $"descriptor {index} is not in a table of {walk.Entries}";
                return false;
            }
        }
    }

    /// <summary>Gives a chain back to the driver with <paramref name="bytes"/> written; true when the driver wants an interrupt.</summary>
    public bool Push(ushort head, uint bytes)
    {
        lock (_usedLock)
        {
            if (_used == null)
            {
                return false;
            }

            // SAFETY: as in TryPop; and that the ring is there was found under the lock.
            vring_used_elem* ring = (vring_used_elem*)(_used + sizeof(vring_used));
            ring[_nextUsed & _mask] = new vring_used_elem { id = head, len = bytes };
            _nextUsed++;

            // Release: the element and the reply are visible before the index is.
            Volatile.Write(ref Used->idx, _nextUsed);
            return WantsInterrupt();
        }
    }

    /// <summary>
    /// Asks the driver to kick for the next entry; true when one has come meanwhile, so that waiting would miss it.
    /// </summary>
    public bool EnableNotifications()
    {
        if (_eventIdx)
        {
            // SAFETY: UsedBytes, which Locate looked for, count the event behind the ring; its offset is even.
            Volatile.Write(ref *(ushort*)(_used + VirtqueueLayout.AvailableEventOffset(_setup.Entries)), _nextAvailable);
        }
        else
        {
            Volatile.Write(ref Used->flags, 0);
        }

        // The request for a kick must be visible before the index is looked at again (VIRTIO 1.2, 2.7.10).
        Interlocked.MemoryBarrier();
        return CountAvailable() != 0;
    }

    /// <summary>Tells the driver that kicks are not needed. With the event index, silence already says so.</summary>
    public void DisableNotifications()
    {
        if (!_eventIdx)
        {
            Volatile.Write(ref Used->flags, VringFlags.VRING_USED_F_NO_NOTIFY);
        }
    }

    private void Locate()
    {
        byte* descriptors = Find(_setup.Descriptors, VirtqueueLayout.DescriptorBytes(_setup.Entries), 16, "descriptor table");
        byte* available = Find(_setup.Available, VirtqueueLayout.AvailableBytes(_setup.Entries), 2, "available ring");
        byte* used = Find(_setup.Used, VirtqueueLayout.UsedBytes(_setup.Entries), 4, "used ring");
        // All or none: whoever pushes works with those of one memory.
        _descriptors = (vring_desc*)descriptors;
        _available = available;
        _used = used;
        _isPlaced = true;
    }

    private byte* Find(ulong userAddress, uint bytes, uint alignment, string what)
    {
        byte* found = _memory.TranslateUser(userAddress, bytes);
        if (found == null || (nuint)found % alignment != 0)
        {
            throw new VirtqueueException($"the {what} at {userAddress:x} ({bytes} bytes) is misaligned or outside the guest's memory");
        }

        Errno errno = MemoryMapping.Populate(found, bytes);
        return errno == Errno.None
            ? found
            : throw new VirtqueueException($"the pages of the {what} at {userAddress:x} ({bytes} bytes) cannot be had: {errno}");
    }

    private bool TryEnterIndirect(vring_desc descriptor, ref ChainWalk walk, out string? problem)
    {
        // After buffers one may stand: a driver must not do so, a device must take it (2.7.5.3.2).
        if (!_setup.Features.HasFlag(VirtioFeatures.IndirectDesc) || walk.IsIndirect
            || (descriptor.flags & VringFlags.VRING_DESC_F_NEXT) != 0)
        {
            problem = "an indirect descriptor stands where none may (2.7.5.3.1)";
            return false;
        }

        uint entries = descriptor.len / (uint)sizeof(vring_desc);
        byte* table = entries > 0 && descriptor.len % sizeof(vring_desc) == 0
            ? _memory.Translate(descriptor.addr, descriptor.len)
            : null;
        if (table == null || (nuint)table % sizeof(ulong) != 0)
        {
            problem = $"an indirect table of {descriptor.len} bytes at {descriptor.addr:x} is not one";
            return false;
        }

        // SAFETY: Translate found all of it within one region, and it is aligned for the two reads of ReadOnce. The
        // memory stays while the chain is walked: only the thread that does so goes over to another (UseMemory).
        walk.Table = (vring_desc*)table;
        walk.Entries = entries;
        walk.IsIndirect = true;
        problem = null;
        return true;
    }

    private bool TryAddBuffer(in vring_desc descriptor, ref ChainWalk walk, FuseRequest request, out string? problem)
    {
        problem = null;
        bool isWritable = (descriptor.flags & VringFlags.VRING_DESC_F_WRITE) != 0;
        // SAFETY: of a request whose thread leads no more LeaderFollowers holds the memory, of one that waits
        // VirtqueueRequest does.
        byte* start = _memory.Translate(descriptor.addr, descriptor.len);
        WindowRegion? window = null;
        if (start == null)
        {
            window = _memory.Windows?.Acquire(descriptor.addr, descriptor.len, out start);
        }

        bool isTaken = false;
        if (++walk.Length > walk.LengthMax)
        {
            problem = $"the chain is longer than the queue's {walk.LengthMax} entries, or runs in a circle";
        }
        else if (walk.SawWritable && !isWritable)
        {
            problem = "a readable buffer follows a writable one (2.7.4.2)";
        }
        else if (start == null || (walk.Unreachable is not null && walk.SawWritable))
        {
            // What follows a part of the reply that cannot be reached is not where the reply begins.
            walk.Unreachable ??= $"{descriptor.len} bytes at {descriptor.addr:x} do not lie within one region of the guest's memory";
        }
        else
        {
            isTaken = isWritable
                ? request.TryAddWritable(start, descriptor.len, window)
                : request.TryAddReadable(start, descriptor.len, window);
            problem = isTaken ? null : $"the chain has more than {FuseLimits.SegmentsMax} buffers of one direction";
        }

        if (!isTaken)
        {
            window?.Dispose();
        }

        walk.SawWritable |= isWritable;
        return problem == null;
    }

    private bool WantsInterrupt()
    {
        // The index must be visible before the driver's wish is looked at (VIRTIO 1.2, 2.7.7).
        Interlocked.MemoryBarrier();
        if (!_eventIdx)
        {
            return (Volatile.Read(ref Available->flags) & VringFlags.VRING_AVAIL_F_NO_INTERRUPT) == 0;
        }

        // SAFETY: AvailableBytes, which Locate looked for, count the event behind the ring; its offset is even.
        ushort usedEvent = Volatile.Read(ref *(ushort*)(_available + VirtqueueLayout.UsedEventOffset(_setup.Entries)));
        bool wants = !_signalledValid || Crosses(usedEvent, _nextUsed, _signalledUsed);
        _signalledUsed = _nextUsed;
        _signalledValid = true;
        return wants;
    }

    /// <summary>
    /// Did the index pass <paramref name="eventIndex"/> on its way from <paramref name="old"/> to <paramref name="now"/>?
    /// </summary>
    internal static bool Crosses(ushort eventIndex, ushort now, ushort old) => (ushort)(now - eventIndex - 1) < (ushort)(now - old);

    // SAFETY: source is a descriptor of a table that is aligned to 8 bytes at least; len, flags and next are its other
    // 8.
    private static vring_desc ReadOnce(vring_desc* source)
    {
        ulong address = Volatile.Read(ref source->addr);
        ulong rest = Volatile.Read(ref Unsafe.As<uint, ulong>(ref source->len));
        return new vring_desc { addr = address, len = (uint)rest, flags = (ushort)(rest >> 32), next = (ushort)(rest >> 48) };
    }

    private struct ChainWalk
    {
        public vring_desc* Table;
        public uint Entries;
        public uint LengthMax;
        public uint Length;
        public bool IsIndirect;
        public bool SawWritable;
        public string? Unreachable;
    }
}
