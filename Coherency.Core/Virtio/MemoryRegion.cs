using Coherency.Core.Linux;

namespace Coherency.Core.Virtio;

/// <summary>
/// A piece of the guest's memory, mapped here; addresses and sizes in bytes. Counted: each <see cref="GuestMemory"/> that has
/// it holds a reference, and the last one unmaps it.
/// </summary>
/// <param name="guestAddress">Where the guest sees it (descriptors use this).</param>
/// <param name="userAddress">Where the front end sees it (ring addresses use this).</param>
/// <param name="mappingOffset">Where it starts in the mapping.</param>
public sealed class MemoryRegion(ulong guestAddress, ulong userAddress, ulong size, ulong mappingOffset, MemoryMapping mapping)
{
    private int _references;

    public ulong GuestAddress { get; } = guestAddress;

    public ulong UserAddress { get; } = userAddress;

    public ulong Size { get; } = size;

    /// <summary>Its first byte, here; valid while a <see cref="GuestMemory"/> that has the region is held.</summary>
    // SAFETY: who made the region mapped mappingOffset + size bytes of a file that had them (DeviceMemory.Map).
    public unsafe byte* Start => mapping.Start + mappingOffset;

    internal void Acquire() => Interlocked.Increment(ref _references);

    internal void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            mapping.Dispose();
        }
    }
}
