using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

/// <summary>
/// Keeps the process alive where a page of a mapped file cannot be had: the file has become shorter, or its file system has no room
/// left. To touch such a page raises SIGBUS, which ends a .NET process. What is guarded is replaced by memory without a file then,
/// whole and at once: whoever touched it finds zeros, and the owner is told.
/// </summary>
/// <remarks>
/// System calls that are given such memory fail with EFAULT by themselves. Nothing is done before a page is missing, so that it costs
/// nothing to be guarded. Where the host does not let the process map code, nothing is guarded: <see cref="Problem"/> says so.
/// </remarks>
public static unsafe class MissingPages
{
    private static readonly Lock Changing = new();

    /// <summary>Held while an owner is told; outside of <see cref="Changing"/>, which nobody's owner holds up.</summary>
    private static readonly Lock Telling = new();
    private static readonly Action?[] Owners = new Action?[PlacesMax];
    private static readonly Stack<int> Free = [];
    // SAFETY: HeaderWords and PlacesMax places, never freed: the handler reads them at any time, on any thread. The numbers of
    // words are those of missing-pages.S.
    private static readonly ulong* Data = (ulong*)NativeMemory.AllocZeroed((nuint)(HeaderWords + (PlacesMax * PlaceWords)), sizeof(ulong));
    private static readonly EventFd? Lost;

    static MissingPages()
    {
        try
        {
            Lost = EventFd.Create();
            Install(Lost);
        }
        catch (LinuxException refused)
        {
            Problem = refused.Message;
        }
    }

    /// <summary>Why nothing is guarded; null when it is.</summary>
    public static string? Problem { get; }

    /// <summary>missing-pages.S, which says what it does.</summary>
    public static ReadOnlySpan<byte> Code =>
    [
        0xF3, 0x0F, 0x1E, 0xFA, 0x49, 0xB8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x57, 0x56,
        0x52, 0x83, 0x7E, 0x08, 0x00, 0x7E, 0x6F, 0x4C, 0x8B, 0x4E, 0x10, 0x49, 0xC1, 0xE9, 0x0C, 0x49,
        0x8B, 0x08, 0x4D, 0x8D, 0x50, 0x40, 0x48, 0x83, 0xE9, 0x01, 0x72, 0x5A, 0x49, 0x8B, 0x3A, 0x48,
        0x89, 0xFA, 0x81, 0xE2, 0xFF, 0xFF, 0xFF, 0x1F, 0x48, 0xC1, 0xEF, 0x1D, 0x4C, 0x89, 0xC8, 0x48,
        0x29, 0xF8, 0x48, 0x39, 0xD0, 0x72, 0x06, 0x49, 0x83, 0xC2, 0x10, 0xEB, 0xD9, 0x41, 0x50, 0x41,
        0x51, 0x41, 0x52, 0x48, 0xC1, 0xE7, 0x0C, 0x48, 0x89, 0xD6, 0x48, 0xC1, 0xE6, 0x0C, 0xE8, 0x71,
        0x00, 0x00, 0x00, 0x48, 0x85, 0xC0, 0x79, 0x45, 0x48, 0x8B, 0x7C, 0x24, 0x08, 0x48, 0xC1, 0xE7,
        0x0C, 0xBE, 0x00, 0x10, 0x00, 0x00, 0xE8, 0x59, 0x00, 0x00, 0x00, 0x48, 0x85, 0xC0, 0x79, 0x2D,
        0x41, 0x5A, 0x41, 0x59, 0x41, 0x58, 0x5A, 0x5E, 0x5F, 0x49, 0x8B, 0x40, 0x08, 0x48, 0x85, 0xC0,
        0x74, 0x02, 0xFF, 0xE0, 0xB8, 0x0D, 0x00, 0x00, 0x00, 0xBF, 0x07, 0x00, 0x00, 0x00, 0x49, 0x8D,
        0x70, 0x20, 0x31, 0xD2, 0x41, 0xBA, 0x08, 0x00, 0x00, 0x00, 0x0F, 0x05, 0xC3, 0x41, 0x5A, 0x41,
        0x59, 0x41, 0x58, 0x49, 0xC7, 0x42, 0x08, 0x01, 0x00, 0x00, 0x00, 0xB8, 0x01, 0x00, 0x00, 0x00,
        0x41, 0x8B, 0x78, 0x10, 0x49, 0x8D, 0x70, 0x18, 0xBA, 0x08, 0x00, 0x00, 0x00, 0x0F, 0x05, 0x48,
        0x83, 0xC4, 0x18, 0xC3, 0xB8, 0x09, 0x00, 0x00, 0x00, 0xBA, 0x03, 0x00, 0x00, 0x00, 0x41, 0xBA,
        0x32, 0x40, 0x00, 0x00, 0x49, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF, 0x45, 0x31, 0xC9, 0x0F, 0x05,
        0xC3,
    ];

    /// <summary>The most that can be guarded at a time: 128 guests with all the regions that each can have.</summary>
    public static int PlacesMax => 1 << 16;

    // They are nobody else's, as constants of this namespace are.
    private static int HeaderWords => 8;

    private static int PlaceWords => 2;

    private static int PageShift => 12;

    private static int CountBits => 29;

    private static int CodeAddressOffset => 6;

    private static ref ulong Count => ref Data[0];

    private static ref ulong Previous => ref Data[1];

    private static ref ulong Event => ref Data[2];

    private static ref ulong One => ref Data[3];

    /// <summary>Of a place: its first page and how many, in one word; 0 when it is free.</summary>
    private static ref ulong PagesOf(int place) => ref Data[HeaderWords + (place * PlaceWords)];

    /// <summary>Of a place: not 0 when the handler has replaced it.</summary>
    private static ref ulong LostOf(int place) => ref Data[HeaderWords + (place * PlaceWords) + 1];

    /// <summary>Guards a mapping, until <see cref="Release"/>; before anybody touches it.</summary>
    /// <param name="start">A page's first byte.</param>
    /// <param name="bytes">All of the mapping: what is left would be mapped in other pages than before.</param>
    /// <param name="lost">Is told, once, on another thread, that a page was missing and the content is gone.</param>
    /// <returns>Its place; negative where nothing can be guarded.</returns>
    /// <exception cref="LinuxException">It has more than 2 TiB, or there are <see cref="PlacesMax"/> already.</exception>
    public static int Guard(byte* start, nuint bytes, Action? lost)
    {
        if (Problem is not null)
        {
            return -1;
        }

        ulong pages = ((ulong)bytes + (1UL << PageShift) - 1) >> PageShift;
        lock (Changing)
        {
            bool reuses = Free.TryPop(out int place);
            place = reuses ? place : (int)Count;
            if (pages >> CountBits != 0 || place == PlacesMax)
            {
                throw new LinuxException($"guarding {bytes} bytes beside {Count} other mappings", Errno.ENOSPC);
            }

            Owners[place] = lost;
            LostOf(place) = 0;
            // Release: the handler looks at as many places as there are, each complete.
            Volatile.Write(ref PagesOf(place), ((ulong)start >> PageShift << CountBits) | pages);
            if (!reuses)
            {
                Volatile.Write(ref Count, (ulong)(place + 1));
            }

            return place;
        }
    }

    /// <summary>The mapping is about to go; nobody touches it any more. Its owner is not told any more when this returns.</summary>
    public static void Release(int place)
    {
        if (place < 0)
        {
            return;
        }

        bool isLost = Volatile.Read(ref LostOf(place)) != 0;
        lock (Changing)
        {
            Volatile.Write(ref PagesOf(place), 0);
            Owners[place] = null;
            Free.Push(place);
        }

        if (isLost)
        {
            lock (Telling)
            {
                // Whoever was being told has been.
            }
        }
    }

    private static void Install(EventFd lost)
    {
        Event = (ulong)lost.Fd;
        One = 1;
        sigaction action = default;
        LinuxException.Check(Libc.SignalAction(SignalFlags.SIGBUS, null, &action), "sigaction");
        // 0 and 1 are SIG_DFL and SIG_IGN, which for this signal of the kernel mean the same.
        bool hasHandler = action.sa_sigaction > 1;
        Previous = hasHandler ? (ulong)action.sa_sigaction : 0;
        action.sa_sigaction = (nint)MapCode();
        action.sa_flags = hasHandler ? action.sa_flags | SignalFlags.SA_SIGINFO : SignalFlags.SA_SIGINFO | SignalFlags.SA_ONSTACK;
        Thread thread = new(Tell) { Name = "missing-pages", IsBackground = true };
        thread.Start();
        LinuxException.Check(Libc.SignalAction(SignalFlags.SIGBUS, &action, null), "sigaction");
    }

    /// <summary>By way of a file, for memory that was written to may not become code everywhere.</summary>
    private static byte* MapCode()
    {
        byte[] code = [.. Code];
        MemoryMarshal.Write(code.AsSpan(CodeAddressOffset), (nint)Data);
        int fd = LinuxException.Check(Libc.MemFdCreate("missing-pages", MemoryFlags.MFD_CLOEXEC), "memfd_create");
        try
        {
            fixed (byte* bytes = code)
            {
                LinuxException.Check(Libc.Write(fd, bytes, (nuint)code.Length), "writing code");
            }

            const int Protection = MemoryFlags.PROT_READ | MemoryFlags.PROT_EXEC;
            byte* start = Libc.MMap((nuint)code.Length, Protection, MemoryFlags.MAP_PRIVATE, fd, 0, out Errno errno);
            return start != null ? start : throw new LinuxException("mapping code", errno);
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    private static void Tell()
    {
        while (true)
        {
            pollfd wait = new() { fd = Lost!.Fd, events = EventFlags.POLLIN };
            _ = Libc.Poll(&wait, 1, -1);
            Lost.Drain();
            lock (Telling)
            {
                for (int i = 0; i < (int)Volatile.Read(ref Count); i++)
                {
                    Tell(i);
                }
            }
        }
    }

    private static void Tell(int place)
    {
        Action? owner = null;
        lock (Changing)
        {
            if (Volatile.Read(ref LostOf(place)) != 0)
            {
                (owner, Owners[place]) = (Owners[place], null);
            }
        }

        try
        {
            owner?.Invoke();
        }
        catch (Exception)
        {
            // A log that cannot be written, perhaps: the others are told all the same.
        }
    }
}
