using Coherency.Core.Linux;

namespace Coherency.Core.Virtio;

/// <summary>
/// A piece of guest-physical memory that is a file which the daemon itself gave to the front end to be mapped: a guest's version table,
/// or a part of its DAX window. Another client can make that file shorter, so only system calls may touch it, which then fail with
/// EFAULT. Addresses and sizes in bytes, as of <see cref="MemoryRegion"/>.
/// </summary>
/// <remarks>Counted: begins with one reference; <see cref="Dispose"/> gives one back, the last unmaps.</remarks>
/// <param name="mapping">Null when it could not be mapped: nothing can be read from it or written to it then.</param>
public sealed class WindowRegion(ulong guestAddress, ulong userAddress, ulong size, MemoryMapping? mapping) : IDisposable
{
    private int _references = 1;

    public ulong GuestAddress { get; } = guestAddress;

    public ulong UserAddress { get; } = userAddress;

    public ulong Size { get; } = size;

    public bool IsMapped => mapping is not null;

    /// <summary>Its first byte, here, while a reference is held; for system calls alone.</summary>
    // SAFETY: who made the region mapped size bytes (DeviceMemory.MapWindow). Whether the file has them, nobody knows.
    internal unsafe byte* Start => mapping is null ? null : mapping.Start;

    internal void Acquire() => Interlocked.Increment(ref _references);

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            mapping?.Dispose();
        }
    }
}
