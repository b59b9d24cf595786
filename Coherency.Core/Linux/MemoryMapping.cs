namespace Coherency.Core.Linux;

/// <summary>Memory mapped from a file descriptor. Whoever holds <see cref="Start"/> holds this object too.</summary>
public sealed unsafe class MemoryMapping : IDisposable
{
    private readonly int _guard;
    // SAFETY: Length bytes from here on are mapped until Dispose, or until nobody has this object any more. Where the
    // file has no page to give, MissingPages puts others there.
    private byte* _start;

    private MemoryMapping(byte* start, nuint length, int guard)
    {
        _start = start;
        Length = length;
        _guard = guard;
    }

    ~MemoryMapping() => Unmap();

    public byte* Start => _start;

    /// <summary>Bytes.</summary>
    public nuint Length { get; }

    /// <summary>
    /// Maps the first <paramref name="length"/> bytes of <paramref name="fd"/>, shared and writable; the descriptor stays the caller's.
    /// </summary>
    /// <param name="lost">Is told once, on another thread, that the file had no page to give: all of the mapping is zeros now.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static MemoryMapping MapShared(int fd, nuint length, Action? lost = null)
    {
        length = WholePages(fd, length);
        const int Protection = MemoryFlags.PROT_READ | MemoryFlags.PROT_WRITE;
        byte* start = Libc.MMap(length, Protection, MemoryFlags.MAP_SHARED | MemoryFlags.MAP_NORESERVE, fd, 0, out Errno errno);
        if (start == null)
        {
            throw new LinuxException($"mapping {length} bytes", errno);
        }

        // A core dump of the daemon must not hold the memory of every guest.
        _ = Libc.MAdvise(start, length, MemoryFlags.MADV_DONTDUMP);
        try
        {
            return new MemoryMapping(start, length, MissingPages.Guard(start, length, lost));
        }
        catch
        {
            _ = Libc.MUnmap(start, length);
            throw;
        }
    }

    /// <summary>
    /// Maps <paramref name="length"/> bytes of <paramref name="fd"/> from <paramref name="offset"/> on, both whole pages, for system
    /// calls alone: whoever else touches a page that the file does not have, or no more, ends the process.
    /// </summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static MemoryMapping MapForSystemCalls(int fd, long offset, nuint length)
    {
        const int Protection = MemoryFlags.PROT_READ | MemoryFlags.PROT_WRITE;
        byte* start = Libc.MMap(length, Protection, MemoryFlags.MAP_SHARED | MemoryFlags.MAP_NORESERVE, fd, offset, out Errno errno);
        if (start == null)
        {
            throw new LinuxException($"mapping {length} bytes", errno);
        }

        _ = Libc.MAdvise(start, length, MemoryFlags.MADV_DONTDUMP);
        return new MemoryMapping(start, length, guard: -1);
    }

    /// <summary>
    /// Has the kernel provide the pages that hold <paramref name="bytes"/> from <paramref name="start"/> on, so that none is missing
    /// when they are used: that would end the process (SIGBUS). Kernels before Linux 5.14 cannot; there nothing is done.
    /// </summary>
    /// <returns>Why they cannot be had: the file has become shorter (EFAULT), memory is short (ENOMEM).</returns>
    public static Errno Populate(byte* start, nuint bytes)
    {
        // SAFETY: mappings begin at a page, so what is before start in its page belongs to the same one.
        nuint before = (nuint)start % (nuint)Environment.SystemPageSize;
        Errno errno = Libc.MAdvise(start - before, bytes + before, MemoryFlags.MADV_POPULATE_WRITE).ToErrno();
        return errno == Errno.EINVAL ? Errno.None : errno;
    }

    /// <summary>The kernel maps whole pages, and takes nothing less back where they are huge.</summary>
    private static nuint WholePages(int fd, nuint length)
    {
        bool isHuge = Libc.FStatFs(fd, out statfs attributes) == 0 && attributes.f_type == FileSystemTypes.HUGETLBFS_MAGIC;
        nuint page = isHuge ? (nuint)attributes.f_bsize : (nuint)Environment.SystemPageSize;
        return (length + page - 1) / page * page;
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
            MissingPages.Release(_guard);
            _ = Libc.MUnmap(_start, Length);
            _start = null;
        }
    }
}
