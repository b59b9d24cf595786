using System.Runtime.InteropServices;
using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Guest.Virtio;

/// <summary>A range of guest-physical memory and the part of the memory file that backs it; sizes in bytes.</summary>
public readonly record struct GuestRamRegion(ulong GuestAddress, ulong UserAddress, ulong Size, ulong FileOffset);

/// <summary>
/// The memory of a user-space guest: a memory file that the daemon maps too. Rings and buffers are allocated from it and live
/// until the whole is disposed and no request of another thread uses it any more (<see cref="SafeHandle.DangerousAddRef"/>);
/// pages that nobody touches cost nothing.
/// </summary>
public sealed unsafe class GuestRam : SafeHandle
{
    /// <summary>Guest-physical address of the first byte. Not 0, so that a forgotten address is an invalid one.</summary>
    public const ulong BaseAddress = 0x4000_0000;

    private const int PageBytes = 4096;

    private readonly Lock _allocation = new();
    private readonly List<IDisposable> _owned = [];
    // SAFETY: Bytes of a file that has them are mapped here until ReleaseHandle. Allocate compares with Bytes before it
    // hands out; who uses what was handed out on another thread than that which disposes has a reference (RequestQueue).
    private readonly byte* _start;
    private long _used;

    private GuestRam(int fd, byte* start, long bytes, int regionCount)
        : base(0, ownsHandle: true)
    {
        Fd = fd;
        _start = start;
        SetHandle((nint)start);
        // Rings and buffers point into it and do not keep it alive: only who made it knows when it may go.
        GC.SuppressFinalize(this);
        Bytes = bytes;
        Regions = SplitIntoRegions(bytes, regionCount);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The memory file; it stays this object's.</summary>
    public int Fd { get; }

    /// <summary>Size of the whole.</summary>
    public long Bytes { get; }

    /// <summary>Neighbours in guest-physical space, so that a buffer can straddle two of them.</summary>
    public IReadOnlyList<GuestRamRegion> Regions { get; }

    /// <summary>First guest-physical address after the last region.</summary>
    public ulong EndAddress => BaseAddress + (ulong)Bytes;

    /// <param name="bytes">Rounded up so that each region is whole pages.</param>
    /// <param name="regionCount">How many regions the daemon is told of.</param>
    /// <param name="folder">Where the memory file is made, which no name is left of; null for one that never has one.</param>
    /// <exception cref="LinuxException">The kernel gives no memory.</exception>
    public static GuestRam Create(long bytes, int regionCount = 1, string? folder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(regionCount);
        long grain = (long)PageBytes * regionCount;
        long size = (bytes + grain - 1) / grain * grain;
        int fd = folder is null
            ? LinuxException.Check(Libc.MemFdCreate("coherency-guest", MemoryFlags.MFD_CLOEXEC), "memfd_create")
            : CreateNameless(folder);
        if (Libc.FTruncate(fd, size).ToErrno() is not Errno.None and var errno)
        {
            _ = Libc.Close(fd);
            throw new LinuxException("sizing guest memory", errno);
        }

        byte* start = Libc.MMap((nuint)size, MemoryFlags.PROT_READ | MemoryFlags.PROT_WRITE, MemoryFlags.MAP_SHARED, fd, 0, out errno);
        if (start == null)
        {
            _ = Libc.Close(fd);
            throw new LinuxException("mapping guest memory", errno);
        }

        return new GuestRam(fd, start, size, regionCount);
    }

    /// <summary>Hands out memory; it is zeroed unless it was released before.</summary>
    /// <param name="alignment">A power of two, in bytes.</param>
    /// <exception cref="InvalidOperationException">Less than <paramref name="bytes"/> is left.</exception>
    public GuestBuffer Allocate(int bytes, int alignment = 16)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        lock (_allocation)
        {
            long offset = (_used + alignment - 1) & -alignment;
            if (offset + bytes > Bytes)
            {
                throw new InvalidOperationException($"guest memory of {Bytes} bytes has no {bytes} bytes left");
            }

            _used = offset + bytes;
            return new GuestBuffer(_start + offset, BaseAddress + (ulong)offset, bytes);
        }
    }

    /// <summary>How much was handed out, to be given back with <see cref="ReleaseTo"/>.</summary>
    public long Used
    {
        get
        {
            lock (_allocation)
            {
                return _used;
            }
        }
    }

    /// <summary>
    /// Takes back every buffer allocated since <see cref="Used"/> was <paramref name="mark"/>; their owners must be gone. What
    /// is allocated next may hold old bytes.
    /// </summary>
    public void ReleaseTo(long mark)
    {
        lock (_allocation)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(mark, _used);
            _used = mark;
        }
    }

    /// <summary>Disposes of that too, when the memory goes: who waits for a request polls its descriptors.</summary>
    public void Own(IDisposable user)
    {
        lock (_allocation)
        {
            _owned.Add(user);
        }
    }

    protected override bool ReleaseHandle()
    {
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }

        return (Libc.MUnmap(_start, (nuint)Bytes) | Libc.Close(Fd)) == 0;
    }

    private static int CreateNameless(string folder)
    {
        fixed (byte* path = Encoding.UTF8.GetBytes(folder + '\0'))
        {
            return LinuxException.Check(
                Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_TMPFILE | OpenFlags.O_RDWR), $"making a file in {folder}");
        }
    }

    private GuestRamRegion[] SplitIntoRegions(long bytes, int count)
    {
        ulong size = (ulong)(bytes / count);
        var regions = new GuestRamRegion[count];
        for (int i = 0; i < count; i++)
        {
            ulong offset = size * (ulong)i;
            regions[i] = new GuestRamRegion(BaseAddress + offset, (ulong)_start + offset, size, offset);
        }

        return regions;
    }
}
