using Coherency.Core.Virtio;
using Coherency.Core.Virtio.Abi;

namespace Coherency.Guest.Virtio;

/// <summary>A buffer of a descriptor chain; <paramref name="Length"/> in bytes.</summary>
/// <param name="DeviceWrites">The device writes it; otherwise it reads it.</param>
public readonly record struct ChainSegment(ulong Address, uint Length, bool DeviceWrites);

/// <summary>A chain that the device is done with.</summary>
/// <param name="Token">What the driver gave with the chain.</param>
/// <param name="BytesWritten">As the device tells it.</param>
public readonly record struct UsedChain(ushort Token, uint BytesWritten);

/// <summary>The device broke the rules of the virtqueue: the guest cannot go on with it.</summary>
public sealed class DeviceFaultException(string message) : IOException(message);

/// <summary>
/// Driver side of a split virtqueue. Bookkeeping that matters (free descriptors, chain lengths, tokens) is kept in private
/// memory: the device may write anything into the shared one. Not thread-safe; its owner serializes the calls, except that
/// one thread at a time may watch <see cref="HasUsed"/> and arm interrupts while others add chains.
/// </summary>
public sealed unsafe class VirtqueueDriver
{
    private readonly RawVirtqueue _ring;
    private readonly bool _eventIndex;
    private readonly bool _indirect;
    private readonly ushort[] _nextFree;
    private readonly ushort[] _tokens;

    // Descriptors that the chain of a head occupies; 0 when the head is not in flight.
    private readonly ushort[] _chainLengths;
    private ushort _freeHead;
    private ushort _availableIndex;
    private ushort _publishedIndex;
    private ushort _usedIndex;
    private bool _armed;

    /// <param name="features">What the device agreed to: event index and indirect descriptors count here.</param>
    /// <param name="startIndex">Index at which both rings start, as SET_VRING_BASE told the device.</param>
    public VirtqueueDriver(RawVirtqueue ring, VirtioFeatures features, ushort startIndex = 0)
    {
        _ring = ring;
        _eventIndex = features.HasFlag(VirtioFeatures.EventIdx);
        _indirect = features.HasFlag(VirtioFeatures.IndirectDesc);
        _nextFree = new ushort[ring.Size];
        _tokens = new ushort[ring.Size];
        _chainLengths = new ushort[ring.Size];
        for (int i = 0; i < ring.Size; i++)
        {
            _nextFree[i] = (ushort)(i + 1);
        }

        FreeDescriptors = ring.Size;
        _availableIndex = _publishedIndex = _usedIndex = startIndex;
        DisarmInterrupt();
    }

    /// <summary>Descriptors that no chain in flight occupies.</summary>
    public int FreeDescriptors { get; private set; }

    /// <summary>True when the device has used a chain that was not taken yet.</summary>
    public bool HasUsed => _ring.LoadAcquireUsedIndex() != _usedIndex;

    /// <summary>
    /// Adds a chain, to be seen by the device after <see cref="Publish"/>; false when there are not enough free descriptors.
    /// </summary>
    /// <exception cref="ArgumentException">The chain would not fit into an empty ring either, or is empty itself.</exception>
    /// <param name="segments">Those that the device reads come first.</param>
    /// <param name="token">Comes back in <see cref="UsedChain.Token"/>.</param>
    /// <param name="indirectTable">
    /// Room for one descriptor per segment, the chain's own until it is used; default to place the chain in the ring itself.
    /// </param>
    public bool TryAdd(ReadOnlySpan<ChainSegment> segments, ushort token, GuestBuffer indirectTable = default)
    {
        bool indirect = _indirect && segments.Length > 1 && indirectTable.Length >= segments.Length * sizeof(vring_desc);
        int needed = indirect ? 1 : segments.Length;
        if (needed == 0 || needed > _ring.Size)
        {
            throw new ArgumentException($"a chain of {segments.Length} descriptors for a ring of {_ring.Size}", nameof(segments));
        }

        if (needed > FreeDescriptors)
        {
            return false;
        }

        ushort head = _freeHead;
        if (indirect)
        {
            WriteIndirectTable(segments, indirectTable);
            uint bytes = (uint)(segments.Length * sizeof(vring_desc));
            Place(new vring_desc { addr = indirectTable.Address, len = bytes, flags = VringFlags.VRING_DESC_F_INDIRECT });
        }
        else
        {
            WriteDirectChain(segments);
        }

        _tokens[head] = token;
        _chainLengths[head] = (ushort)needed;
        _ring.WriteAvailable(_availableIndex++, head);
        return true;
    }

    /// <summary>
    /// Shows the device all chains added since the last time; true when it wants to be kicked for them.
    /// </summary>
    public bool Publish()
    {
        ushort old = _publishedIndex;
        if (old == _availableIndex)
        {
            return false;
        }

        _publishedIndex = _availableIndex;
        _ring.StoreReleaseAvailableIndex(_publishedIndex);

        // The device publishes avail_event (or clears NO_NOTIFY) and then reads the index once more before it sleeps; here
        // the index is stored and then avail_event read. A full barrier on both sides leaves no way to miss each other.
        Interlocked.MemoryBarrier();
        return _eventIndex
            ? PassedEvent(_ring.LoadAvailableEvent(), _publishedIndex, old)
            : (_ring.LoadUsedFlags() & VringFlags.VRING_USED_F_NO_NOTIFY) == 0;
    }

    /// <summary>Takes the next used chain and frees its descriptors.</summary>
    /// <exception cref="DeviceFaultException">The device returned a chain that it was not given.</exception>
    public bool TryTakeUsed(out UsedChain used)
    {
        if (!HasUsed)
        {
            used = default;
            return false;
        }

        vring_used_elem element = _ring.ReadUsed(_usedIndex);
        if (element.id >= (uint)_ring.Size || _chainLengths[element.id] == 0)
        {
            throw new DeviceFaultException($"the device returned descriptor {element.id}, which heads no chain in flight");
        }

        _usedIndex++;
        used = new UsedChain(_tokens[element.id], element.len);
        Free((ushort)element.id);
        return true;
    }

    /// <summary>Asks for an interrupt with the next used chain; false when one is there already, so that nobody sleeps on it.</summary>
    public bool ArmInterrupt()
    {
        _armed = true;
        if (_eventIndex)
        {
            _ring.StoreUsedEvent(_usedIndex);
        }
        else
        {
            _ring.StoreAvailableFlags(0);
        }

        // The mirror image of Publish: used_event is stored, then the used index read; the device does it the other way round.
        Interlocked.MemoryBarrier();
        return !HasUsed;
    }

    /// <summary>Spares the device interrupts while the used ring is polled anyway.</summary>
    public void DisarmInterrupt()
    {
        _armed = false;
        if (_eventIndex)
        {
            // An event just behind is the one that takes longest to be passed again.
            _ring.StoreUsedEvent((ushort)(_usedIndex - 1));
        }
        else
        {
            _ring.StoreAvailableFlags(VringFlags.VRING_AVAIL_F_NO_INTERRUPT);
        }
    }

    /// <summary>Disarms only when armed: a store that is not needed would still take the cache line from the device.</summary>
    public void DisarmInterruptIfArmed()
    {
        if (_armed)
        {
            DisarmInterrupt();
        }
    }

    /// <summary>
    /// True when an index that moved from <paramref name="old"/> to <paramref name="now"/> passed
    /// <paramref name="eventIndex"/>, all modulo 65,536 (VIRTIO 1.2, 2.7.7.1).
    /// </summary>
    public static bool PassedEvent(ushort eventIndex, ushort now, ushort old) =>
        (ushort)(now - eventIndex - 1) < (ushort)(now - old);

    private static void WriteIndirectTable(ReadOnlySpan<ChainSegment> segments, GuestBuffer table)
    {
        // SAFETY: TryAdd found the table long enough for one descriptor per segment.
        var descriptors = (vring_desc*)table.Pointer;
        for (int i = 0; i < segments.Length; i++)
        {
            bool last = i == segments.Length - 1;
            descriptors[i] = ToDescriptor(segments[i], last ? null : (ushort)(i + 1));
        }
    }

    private void WriteDirectChain(ReadOnlySpan<ChainSegment> segments)
    {
        for (int i = 0; i < segments.Length; i++)
        {
            bool last = i == segments.Length - 1;
            Place(ToDescriptor(segments[i], last ? null : _nextFree[_freeHead]));
        }
    }

    private static vring_desc ToDescriptor(in ChainSegment segment, ushort? next) => new()
    {
        addr = segment.Address,
        len = segment.Length,
        flags = (ushort)((segment.DeviceWrites ? VringFlags.VRING_DESC_F_WRITE : 0) | (next.HasValue ? VringFlags.VRING_DESC_F_NEXT : 0)),
        next = next.GetValueOrDefault(),
    };

    private void Place(in vring_desc descriptor)
    {
        _ring.WriteDescriptor(_freeHead, descriptor);
        _freeHead = _nextFree[_freeHead];
        FreeDescriptors--;
    }

    private void Free(ushort head)
    {
        int count = _chainLengths[head];
        _chainLengths[head] = 0;
        ushort last = head;
        for (int i = 1; i < count; i++)
        {
            last = _nextFree[last];
        }

        // A chain was cut from the front of the free list, so its descriptors are still linked to each other in order.
        _nextFree[last] = _freeHead;
        _freeHead = head;
        FreeDescriptors += count;
    }
}
