using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Paths;
using Coherency.Host.Server;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Gives what was just made its security labels, by the daemon's own rights. What cannot get them is removed again: nobody is to find
/// it without.
/// </summary>
internal static unsafe class NewLabels
{
    /// <summary>Of what has been made under a name, whose lock the caller has.</summary>
    public static Errno SetByName(SecurityLabel[] labels, int directoryFd, EntryName name, bool isDirectory)
    {
        int fd = Libc.OpenAt(directoryFd, name.Pointer, OpenFlags.O_PATH | OpenFlags.O_NOFOLLOW);
        Errno errno = fd >= 0 ? Set(labels, fd) : fd.ToErrno();
        if (fd >= 0)
        {
            Libc.Close(fd);
        }

        return errno == Errno.None ? errno : Remove(errno, directoryFd, name.Pointer, isDirectory ? OpenFlags.AT_REMOVEDIR : 0);
    }

    /// <summary>Of a new file.</summary>
    /// <param name="fd">Stays open.</param>
    /// <param name="name">null for a file without a name, which goes by itself.</param>
    public static Errno SetOpened(SecurityLabel[] labels, int fd, int directoryFd, byte* name)
    {
        Errno errno = Set(labels, fd);
        return errno == Errno.None || name is null ? errno : Remove(errno, directoryFd, name, 0);
    }

    private static Errno Set(SecurityLabel[] labels, int fd)
    {
        ProcPath path = new(fd);
        foreach (SecurityLabel label in labels)
        {
            // SAFETY: the name ends with the NUL that it was read with.
            fixed (byte* name = label.Name, value = label.Value)
            {
                Errno errno = Libc.SetXattr(path.Pointer, name, value, (nuint)label.Value.Length, 0).ToErrno();
                if (errno != Errno.None)
                {
                    return errno;
                }
            }
        }

        return Errno.None;
    }

    private static Errno Remove(Errno why, int directoryFd, byte* name, int flags)
    {
        _ = Libc.UnlinkAt(directoryFd, name, flags);
        return why;
    }
}
