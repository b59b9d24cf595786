using Coherency.Core.Linux;
using Coherency.Core.Virtio.Abi;

namespace Coherency.Guest.Virtio;

/// <summary>
/// The memory of a split virtqueue, seen from the driver, with no rules: any descriptor, any index, any order. It is what
/// <see cref="VirtqueueDriver"/> keeps the rules on, and what a test of hostile guests uses to break them.
/// </summary>
/// <remarks>
/// <code>
/// descriptors  size * 16 bytes                              written by the driver
/// available    flags, idx, size * u16 heads, used_event     written by the driver
/// used         flags, idx, size * (id, len), avail_event    written by the device
/// </code>
/// Indices run freely through 16 bits; their position in a ring is the index modulo its size.
/// </remarks>
public sealed unsafe class RawVirtqueue : IDisposable
{
    /// <summary>Most entries that a split ring can have (VIRTIO 1.2, 2.7).</summary>
    public const int SizeMax = 32768;

    private const int DescriptorAlignment = 16;
    private const int RingAlignment = 64;
    private readonly int _mask;

    /// <param name="size">Entries, a power of two up to <see cref="SizeMax"/>.</param>
    public RawVirtqueue(GuestRam memory, int size)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, SizeMax);
        if (size <= 0 || (size & (size - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, "a ring has a power of two entries");
        }

        memory.Own(this);
        Size = size;
        _mask = size - 1;
        Descriptors = memory.Allocate(size * sizeof(vring_desc), DescriptorAlignment);
        Available = memory.Allocate(sizeof(vring_avail) + (size * sizeof(ushort)) + sizeof(ushort), RingAlignment);
        Used = memory.Allocate(sizeof(vring_used) + (size * sizeof(vring_used_elem)) + sizeof(ushort), RingAlignment);
    }

    /// <summary>Entries.</summary>
    public int Size { get; }

    public GuestBuffer Descriptors { get; }

    public GuestBuffer Available { get; }

    public GuestBuffer Used { get; }

    /// <summary>Signalled by the driver: there are new available chains.</summary>
    public EventFd Kick { get; } = EventFd.Create();

    /// <summary>Signalled by the device: there are new used chains.</summary>
    public EventFd Call { get; } = EventFd.Create();

    /// <summary>Signalled by the device: it can make nothing of the ring any more.</summary>
    public EventFd Error { get; } = EventFd.Create();

    // SAFETY (all accessors below): the constructor allocated each ring with room for Size entries and its event field, and
    // every position is reduced by _mask, so no access leaves the allocation.

    public void WriteDescriptor(int index, in vring_desc descriptor) => ((vring_desc*)Descriptors.Pointer)[index & _mask] = descriptor;

    public vring_desc ReadDescriptor(int index) => ((vring_desc*)Descriptors.Pointer)[index & _mask];

    /// <summary>
    /// Puts the head of a chain at <paramref name="index"/> of the available ring; the device sees it with the next index.
    /// </summary>
    public void WriteAvailable(ushort index, ushort head) => ((ushort*)(Available.Pointer + sizeof(vring_avail)))[index & _mask] = head;

    /// <summary>Publishes everything written before: pairs with the device's acquiring read of the index.</summary>
    public void StoreReleaseAvailableIndex(ushort index) => Volatile.Write(ref ((vring_avail*)Available.Pointer)->idx, index);

    public ushort ReadAvailableIndex() => ((vring_avail*)Available.Pointer)->idx;

    public void StoreAvailableFlags(ushort flags) => Volatile.Write(ref ((vring_avail*)Available.Pointer)->flags, flags);

    /// <summary>Asks the device to interrupt when it uses the chain of this index (event index only).</summary>
    public void StoreUsedEvent(ushort index) =>
        Volatile.Write(ref *(ushort*)(Available.Pointer + sizeof(vring_avail) + (Size * sizeof(ushort))), index);

    /// <summary>Everything that the device wrote before it published this index is seen after it.</summary>
    public ushort LoadAcquireUsedIndex() => Volatile.Read(ref ((vring_used*)Used.Pointer)->idx);

    public vring_used_elem ReadUsed(ushort index) => ((vring_used_elem*)(Used.Pointer + sizeof(vring_used)))[index & _mask];

    public ushort LoadUsedFlags() => Volatile.Read(ref ((vring_used*)Used.Pointer)->flags);

    /// <summary>The available index at which the device wants to be kicked (event index only).</summary>
    public ushort LoadAvailableEvent() => Volatile.Read(ref *AvailableEvent);

    private ushort* AvailableEvent => (ushort*)(Used.Pointer + sizeof(vring_used) + (Size * sizeof(vring_used_elem)));

    /// <summary>Zeroes the rings, as a driver does before it gives them to a device, and starts both indices at a number.</summary>
    public void Reset(ushort startIndex)
    {
        Descriptors.Span.Clear();
        Available.Span.Clear();
        Used.Span.Clear();
        ((vring_avail*)Available.Pointer)->idx = startIndex;
        ((vring_used*)Used.Pointer)->idx = startIndex;

        // As a device leaves it that waits for the first chain: without this, a first kick at another index than 0 is not sent.
        *AvailableEvent = startIndex;
        Kick.Drain();
        Call.Drain();
        Error.Drain();
    }

    public void Dispose()
    {
        Kick.Dispose();
        Call.Dispose();
        Error.Dispose();
    }
}
