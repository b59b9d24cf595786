namespace Coherency.Core.Linux;

/// <summary>Memory mapped from a file descriptor. Whoever holds <see cref="Start"/> holds this object too.</summary>
public sealed unsafe class MemoryMapping : IDisposable
{
    private byte* _start;

    private MemoryMapping(byte* start, nuint length)
    {
        _start = start;
        Length = length;
    }

    ~MemoryMapping() => Unmap();

    public byte* Start => _start;

    /// <summary>Bytes.</summary>
    public nuint Length { get; }

    /// <summary>Maps the first <paramref name="length"/> bytes of <paramref name="fd"/>, shared and writable; the descriptor stays the caller's.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static MemoryMapping MapShared(int fd, nuint length)
    {
        const int Protection = MemoryFlags.PROT_READ | MemoryFlags.PROT_WRITE;
        byte* start = Libc.MMap(length, Protection, MemoryFlags.MAP_SHARED | MemoryFlags.MAP_NORESERVE, fd, 0, out Errno errno);
        if (start == null)
        {
            throw new LinuxException($"mapping {length} bytes", errno);
        }

        // A core dump of the daemon must not hold the memory of every guest.
        _ = Libc.MAdvise(start, length, MemoryFlags.MADV_DONTDUMP);
        return new MemoryMapping(start, length);
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Unmap();
    }

    private void Unmap()
    {
        if (_start != null)
        {
            _ = Libc.MUnmap(_start, Length);
            _start = null;
        }
    }
}
