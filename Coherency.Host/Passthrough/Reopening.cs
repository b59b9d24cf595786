using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Opens regular files and directories that there is a descriptor of, in whichever way. Always with O_NONBLOCK: where a program of
/// the host holds a lease, the result is ERESTART, for the thread may have to serve others.
/// </summary>
internal static unsafe class Reopening
{
    /// <summary>Opens once more what a descriptor means.</summary>
    /// <returns>A descriptor, or -errno: -ERESTART when a lease has to be given up first, which its holder has been told.</returns>
    public static int Open(int fd, int flags)
    {
        ProcPath path = new(fd);
        int opened = Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, flags & ~OpenFlags.O_APPEND);
        return Result(TakesOnlyAppends(opened, flags) ? Libc.OpenAt(OpenFlags.AT_FDCWD, path.Pointer, flags) : opened);
    }

    /// <summary>
    /// Whether a file that could not be opened without O_APPEND may be with it (chattr +a). No other is: O_APPEND says where writes
    /// go, and clients may change their mind.
    /// </summary>
    public static bool TakesOnlyAppends(int opened, int flags) => opened == -(int)Errno.EPERM && (flags & OpenFlags.O_APPEND) != 0;

    /// <summary>The result of opening with O_NONBLOCK, as <see cref="Open"/> returns it.</summary>
    public static int Result(int opened) => opened == -(int)Errno.EAGAIN ? -(int)Errno.ERESTART : opened;
}
