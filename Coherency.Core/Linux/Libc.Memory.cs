using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    /// <summary>Maps memory; null when it failed, with the reason in <paramref name="errno"/>.</summary>
    public static byte* MMap(nuint length, int protection, int flags, int fd, long offset, out Errno errno)
    {
        nint address = mmap(0, length, protection, flags, fd, offset);
        errno = address == -1 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;
        // SAFETY: a number of the kernel's that is not -1 is where so many bytes, up to a page, are mapped now.
        return address == -1 ? null : (byte*)address;
    }

    public static int MUnmap(byte* address, nuint length) => Result(munmap(address, length));

    public static int MAdvise(byte* address, nuint length, int advice) => Result(madvise(address, length, advice));

    public static int MemFdCreate(string name, uint flags) => Result(memfd_create(name, flags));

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(byte* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int madvise(byte* address, nuint length, int advice);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);
}
