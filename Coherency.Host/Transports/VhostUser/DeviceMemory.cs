using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>The guest's memory as the front end describes it: all at once, or region by region.</summary>
/// <param name="lost">Is told, on another thread, that a page of a region cannot be had: what is in that region is gone.</param>
/// <param name="lent">
/// What this back end has given to the front end to be mapped. QEMU announces that as memory, like all other memory of the guest.
/// </param>
internal sealed class DeviceMemory(Action lost, LentFiles lent) : IDisposable
{
    /// <summary>Regions of one guest: what QEMU's memory hot-plug can use, and what virtiofsd offers.</summary>
    public const int RegionsMax = 509;

    private readonly WindowRegions _windows = new();
    private GuestMemory? _current;

    /// <summary>Null until the first region is known.</summary>
    public GuestMemory? Current => _current;

    /// <summary>SET_MEM_TABLE: replaces everything.</summary>
    /// <exception cref="VhostUserException">The table is malformed, or a region cannot be mapped.</exception>
    public void SetTable(VhostUserMessage message)
    {
        Span<byte> payload = message.Payload;
        int headerBytes = Unsafe.SizeOf<vhost_user_mem_table>();
        int regionBytes = Unsafe.SizeOf<vhost_user_mem_region>();
        uint count = payload.Length >= headerBytes ? MemoryMarshal.Read<vhost_user_mem_table>(payload).num_regions : 0;
        if (count is 0 or > VhostUserConnection.FdCountMax || payload.Length < headerBytes + (count * regionBytes)
            || message.FdCount != count)
        {
            throw new VhostUserException(
                $"SET_MEM_TABLE with {count} regions in {payload.Length} bytes and {message.FdCount} file descriptors");
        }

        List<MemoryRegion> regions = [];
        _windows.Clear();
        try
        {
            for (int i = 0; i < count; i++)
            {
                // SAFETY: the payload, a copy, was found above to have so many.
                vhost_user_mem_region region = MemoryMarshal.Read<vhost_user_mem_region>(payload[(headerBytes + (i * regionBytes))..]);
                int fd = message.TakeFd(i);
                if (lent.Contains(fd, out LentFile file))
                {
                    AddWindow(region, fd, file, regions);
                }
                else
                {
                    regions.Add(Map(region, fd, regions));
                }
            }
        }
        catch
        {
            // Unmaps those before the one that failed.
            new GuestMemory(regions).Release();
            throw;
        }

        Replace(regions);
    }

    /// <summary>ADD_MEM_REG.</summary>
    /// <returns>Queues have to go over to <see cref="Current"/>, which is another one.</returns>
    /// <exception cref="VhostUserException">The region is malformed, overlaps, is one too many, or cannot be mapped.</exception>
    public bool Add(VhostUserMessage message)
    {
        vhost_user_mem_region region = message.ReadBody<vhost_user_single_mem_region>().region;
        IReadOnlyList<MemoryRegion> present = _current?.Regions ?? [];
        int count = present.Count + _windows.Count;
        if (message.FdCount != 1 || count >= RegionsMax)
        {
            throw new VhostUserException(
                $"ADD_MEM_REG with {message.FdCount} file descriptors, beside {count} regions of at most {RegionsMax}");
        }

        int fd = message.TakeFd(0);
        if (lent.Contains(fd, out LentFile file))
        {
            AddWindow(region, fd, file, present);
            return false;
        }

        Replace([.. present, Map(region, fd, present)]);
        return true;
    }

    /// <summary>REM_MEM_REG.</summary>
    /// <returns>As of <see cref="Add"/>.</returns>
    /// <exception cref="VhostUserException">There is no such region.</exception>
    public bool Remove(VhostUserMessage message)
    {
        vhost_user_mem_region region = message.ReadBody<vhost_user_single_mem_region>().region;
        if (_windows.Remove(region.guest_address, region.user_address, region.size))
        {
            return false;
        }

        MemoryRegion? found = _current?.Regions.FirstOrDefault(
            r => r.GuestAddress == region.guest_address && r.UserAddress == region.user_address && r.Size == region.size);
        if (found is null)
        {
            throw new VhostUserException($"REM_MEM_REG of {region.size} bytes at {region.guest_address:x}, which was never added");
        }

        Replace(_current!.Regions.Where(r => r != found));
        return true;
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _current, null)?.Release();
        _windows.Clear();
    }

    private void Replace(IEnumerable<MemoryRegion> regions) =>
        Interlocked.Exchange(ref _current, new GuestMemory(regions, _windows))?.Release();

    /// <summary>
    /// How much of its file is there does not matter, as nothing but system calls touch it. Neither does it end the connection if it
    /// cannot be mapped: what lies there cannot be read then.
    /// </summary>
    private void AddWindow(in vhost_user_mem_region region, int fd, LentFile file, IEnumerable<MemoryRegion> present)
    {
        try
        {
            RefuseOverlap(region, present);
            _windows.Add(new WindowRegion(region.guest_address, region.user_address, region.size, MapWindow(region, fd)));
            lent.Announce(file, (long)region.mmap_offset);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    private static MemoryMapping? MapWindow(in vhost_user_mem_region region, int fd)
    {
        try
        {
            return region.size == 0 ? null : MemoryMapping.MapForSystemCalls(fd, (long)region.mmap_offset, (nuint)region.size);
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    private void RefuseOverlap(in vhost_user_mem_region region, IEnumerable<MemoryRegion> present)
    {
        ulong address = region.guest_address;
        ulong size = region.size;
        bool wrapsAround = address + size < size;
        if (wrapsAround || _windows.Overlaps(address, size) || present.Any(other => Overlaps(address, size, other)))
        {
            throw new VhostUserException($"the region of {size} bytes at {address:x} overlaps another");
        }
    }

    private MemoryRegion Map(vhost_user_mem_region region, int fd, IEnumerable<MemoryRegion> present)
    {
        try
        {
            ulong end = region.mmap_offset + region.size;
            if (region.size == 0 || end < region.size || region.guest_address + region.size < region.size || end > FileBytes(fd))
            {
                throw new VhostUserException($"a region of {region.size} bytes at offset {region.mmap_offset} is not within its file");
            }

            RefuseOverlap(region, present);
            // SAFETY: end is offset and size without overflow, and within the file as it is now; the region is the
            // mapping's last part.
            MemoryMapping mapping = MemoryMapping.MapShared(fd, (nuint)end, lost);
            return new MemoryRegion(region.guest_address, region.user_address, region.size, region.mmap_offset, mapping);
        }
        catch (LinuxException refused)
        {
            throw new VhostUserException(refused.Message);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <summary>What is beyond the file's end cannot be had.</summary>
    private static unsafe ulong FileBytes(int fd)
    {
        // SAFETY: a NUL is the empty path.
        byte empty = 0;
        int result = Libc.Statx(fd, &empty, OpenFlags.AT_EMPTY_PATH, StatFlags.STATX_BASIC_STATS, out statx attributes);
        return result == 0 ? attributes.stx_size : 0;
    }

    private static bool Overlaps(ulong address, ulong size, MemoryRegion other) =>
        address < other.GuestAddress + other.Size && other.GuestAddress < address + size;
}
