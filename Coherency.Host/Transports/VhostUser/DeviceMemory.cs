using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Linux;
using Coherency.Core.VhostUser;
using Coherency.Core.VhostUser.Abi;
using Coherency.Core.Virtio;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>The guest's memory as the front end describes it: all at once, or region by region.</summary>
/// <param name="lost">Is told, on another thread, that a page of a region cannot be had: what is in that region is gone.</param>
internal sealed class DeviceMemory(Action lost) : IDisposable
{
    /// <summary>Regions of one guest: what QEMU's memory hot-plug can use, and what virtiofsd offers.</summary>
    public const int RegionsMax = 509;

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
        try
        {
            for (int i = 0; i < count; i++)
            {
                // SAFETY: the payload, a copy, was found above to have so many.
                vhost_user_mem_region region = MemoryMarshal.Read<vhost_user_mem_region>(payload[(headerBytes + (i * regionBytes))..]);
                regions.Add(Map(region, message.TakeFd(i), regions));
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
    /// <exception cref="VhostUserException">The region is malformed, overlaps, is one too many, or cannot be mapped.</exception>
    public void Add(VhostUserMessage message)
    {
        vhost_user_mem_region region = message.ReadBody<vhost_user_single_mem_region>().region;
        IReadOnlyList<MemoryRegion> present = _current?.Regions ?? [];
        if (message.FdCount != 1 || present.Count >= RegionsMax)
        {
            throw new VhostUserException(
                $"ADD_MEM_REG with {message.FdCount} file descriptors, beside {present.Count} regions of at most {RegionsMax}");
        }

        Replace([.. present, Map(region, message.TakeFd(0), present)]);
    }

    /// <summary>REM_MEM_REG.</summary>
    /// <exception cref="VhostUserException">There is no such region.</exception>
    public void Remove(VhostUserMessage message)
    {
        vhost_user_mem_region region = message.ReadBody<vhost_user_single_mem_region>().region;
        MemoryRegion? found = _current?.Regions.FirstOrDefault(
            r => r.GuestAddress == region.guest_address && r.UserAddress == region.user_address && r.Size == region.size);
        if (found is null)
        {
            throw new VhostUserException($"REM_MEM_REG of {region.size} bytes at {region.guest_address:x}, which was never added");
        }

        Replace(_current!.Regions.Where(r => r != found));
    }

    public void Dispose() => Interlocked.Exchange(ref _current, null)?.Release();

    private void Replace(IEnumerable<MemoryRegion> regions) =>
        Interlocked.Exchange(ref _current, new GuestMemory(regions))?.Release();

    private MemoryRegion Map(vhost_user_mem_region region, int fd, IEnumerable<MemoryRegion> present)
    {
        try
        {
            ulong end = region.mmap_offset + region.size;
            if (region.size == 0 || end < region.size || region.guest_address + region.size < region.size || end > FileBytes(fd))
            {
                throw new VhostUserException($"a region of {region.size} bytes at offset {region.mmap_offset} is not within its file");
            }

            if (present.Any(other => Overlaps(region, other)))
            {
                throw new VhostUserException($"the region of {region.size} bytes at {region.guest_address:x} overlaps another");
            }

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

    private static bool Overlaps(in vhost_user_mem_region a, MemoryRegion b) =>
        a.guest_address < b.GuestAddress + b.Size && b.GuestAddress < a.guest_address + a.size;
}
