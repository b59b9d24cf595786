namespace Coherency.Core.Virtio;

/// <summary>
/// What of a guest's memory lies in the shared memory regions of its device. It comes and goes with each part of a file that is mapped,
/// so it is apart from <see cref="GuestMemory"/>, which no queue has to be asked to go over to then. Any thread may call.
/// </summary>
public sealed class WindowRegions
{
    private readonly Lock _lock = new();
    private readonly List<WindowRegion> _regions = [];

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _regions.Count;
            }
        }
    }

    /// <param name="region">Its first reference is taken over.</param>
    public void Add(WindowRegion region)
    {
        lock (_lock)
        {
            _regions.Add(region);
        }
    }

    /// <summary>False when there is no such region.</summary>
    public bool Remove(ulong guestAddress, ulong userAddress, ulong size)
    {
        WindowRegion? found;
        lock (_lock)
        {
            found = _regions.Find(r => r.GuestAddress == guestAddress && r.UserAddress == userAddress && r.Size == size);
            _ = found is not null && _regions.Remove(found);
        }

        found?.Dispose();
        return found is not null;
    }

    public void Clear()
    {
        WindowRegion[] gone;
        lock (_lock)
        {
            gone = [.. _regions];
            _regions.Clear();
        }

        foreach (WindowRegion region in gone)
        {
            region.Dispose();
        }
    }

    public bool Overlaps(ulong guestAddress, ulong size)
    {
        lock (_lock)
        {
            return _regions.Exists(r => guestAddress < r.GuestAddress + r.Size && r.GuestAddress < guestAddress + size);
        }
    }

    /// <summary>
    /// Finds guest-physical memory; null when <paramref name="length"/> bytes from <paramref name="address"/> on do not lie within one
    /// region that is mapped.
    /// </summary>
    /// <param name="start">The first of these bytes, for system calls alone, until what is returned is disposed of.</param>
    // SAFETY: address and length are compared with the region's without overflow.
    internal unsafe WindowRegion? Acquire(ulong address, ulong length, out byte* start)
    {
        start = null;
        lock (_lock)
        {
            foreach (WindowRegion region in _regions)
            {
                ulong offset = address - region.GuestAddress;
                if (address >= region.GuestAddress && offset < region.Size && length <= region.Size - offset && region.IsMapped)
                {
                    region.Acquire();
                    start = region.Start + offset;
                    return region;
                }
            }
        }

        return null;
    }
}
