namespace Coherency.Core.Virtio;

/// <summary>
/// The memory of one guest at one time: immutable, replaced as a whole when the front end changes it.
/// </summary>
/// <remarks>
/// Lifetime: counted by <see cref="Acquire"/> and <see cref="Release"/>. A queue keeps the memory it works with until it has
/// looked at the new one, a parked request until its reply; a region is unmapped when nobody holds a memory with it.
/// </remarks>
public sealed unsafe class GuestMemory
{
    private readonly MemoryRegion[] _regions;
    private int _references = 1;

    /// <summary>Starts with one reference, the caller's.</summary>
    /// <param name="windows">Beside it, and the same for each memory of one device; none when not given.</param>
    public GuestMemory(IEnumerable<MemoryRegion> regions, WindowRegions? windows = null)
    {
        Windows = windows;
        _regions = [.. regions.OrderBy(r => r.GuestAddress)];
        foreach (MemoryRegion region in _regions)
        {
            region.Acquire();
        }
    }

    public IReadOnlyList<MemoryRegion> Regions => _regions;

    /// <summary>Memory in which no ring, header or argument may lie: neither <see cref="Translate"/> finds it.</summary>
    public WindowRegions? Windows { get; }

    public GuestMemory Acquire()
    {
        Interlocked.Increment(ref _references);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            foreach (MemoryRegion region in _regions)
            {
                region.Release();
            }
        }
    }

    /// <summary>
    /// Finds guest-physical memory; null when <paramref name="length"/> bytes from <paramref name="address"/> on do not lie
    /// within one region.
    /// </summary>
    // SAFETY (both): address and length are compared with a region's without overflow, so all bytes lie within it. They
    // stay mapped while whoever asked holds this memory; the guest may write to them at any time.
    public byte* Translate(ulong address, ulong length)
    {
        foreach (MemoryRegion region in _regions)
        {
            ulong offset = address - region.GuestAddress;
            if (address >= region.GuestAddress && offset < region.Size)
            {
                return length <= region.Size - offset ? region.Start + offset : null;
            }
        }

        return null;
    }

    /// <summary>Like <see cref="Translate"/>, for an address of the front end's own address space.</summary>
    public byte* TranslateUser(ulong address, ulong length)
    {
        foreach (MemoryRegion region in _regions)
        {
            ulong offset = address - region.UserAddress;
            if (address >= region.UserAddress && offset < region.Size && length <= region.Size - offset)
            {
                return region.Start + offset;
            }
        }

        return null;
    }
}
