using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>Is a directory the shared one, or below it? A program of the host may have moved it away.</summary>
internal static unsafe class Ancestry
{
    /// <summary>What is deeper counts as moved away: each level costs two system calls.</summary>
    private const int LevelsMax = 4096;

    /// <summary>".." with a NUL, for openat(2).</summary>
    public static ReadOnlySpan<byte> ParentName => "..\0"u8;

    /// <summary>Goes up from a directory, one parent after the other.</summary>
    /// <returns>ESTALE when that does not lead to <paramref name="rootFd"/>.</returns>
    public static Errno Check(int directoryFd, int rootFd)
    {
        int parentFd = -1;
        Errno errno = Identify(rootFd, out statx root);
        statx below = default;
        for (int level = 0; errno == Errno.None; level++)
        {
            errno = Identify(level == 0 ? directoryFd : parentFd, out statx current);
            if (errno == Errno.None && IsSame(current, root))
            {
                break;
            }

            // The parent of the topmost directory is that itself.
            if (errno == Errno.None && (level == LevelsMax || (IsSame(current, below) && current.stx_mnt_id == below.stx_mnt_id)))
            {
                errno = Errno.ESTALE;
            }

            if (errno == Errno.None)
            {
                below = current;
                errno = GoUp(level == 0 ? directoryFd : parentFd, ref parentFd);
            }
        }

        CloseIfOpen(parentFd);
        return errno;
    }

    private static Errno GoUp(int directoryFd, ref int parentFd)
    {
        fixed (byte* name = ParentName)
        {
            int fd = Libc.OpenAt(directoryFd, name, OpenFlags.O_PATH | OpenFlags.O_DIRECTORY);
            CloseIfOpen(parentFd);
            parentFd = fd;
            return fd.ToErrno();
        }
    }

    private static Errno Identify(int fd, out statx attributes) =>
        Libc.Statx(fd, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out attributes).ToErrno();

    private static bool IsSame(in statx one, in statx other) =>
        one.stx_ino == other.stx_ino && one.stx_dev_major == other.stx_dev_major && one.stx_dev_minor == other.stx_dev_minor;

    private static void CloseIfOpen(int fd)
    {
        if (fd >= 0)
        {
            Libc.Close(fd);
        }
    }
}
