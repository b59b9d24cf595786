using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>A mount of the kernel's FUSE file system, and the descriptor that its requests are read from.</summary>
internal sealed unsafe class FuseMount : IDisposable
{
    private readonly byte[] _mountPoint;
    private int _fd;

    private FuseMount(int fd, byte[] mountPoint)
    {
        _fd = fd;
        _mountPoint = mountPoint;
    }

    public int Fd => _fd;

    /// <summary>
    /// Mounts; needs CAP_SYS_ADMIN in the mount namespace's user namespace: root, or <c>unshare --user --map-root-user --mount</c>.
    /// </summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static FuseMount Mount(string source, string mountPoint, uint rootMode)
    {
        int fd = OpenDevice();
        // The kernel checks permissions itself, for everybody: the daemon serves many users.
        string options = $"fd={fd},rootmode={Convert.ToString(rootMode & StatFlags.S_IFMT, 8)},user_id=0,group_id=0,"
            + $"default_permissions,allow_other,max_read={FuseLimits.PayloadBytesMax}";
        byte[] path = Terminated(mountPoint);
        fixed (byte* from = Terminated(source), to = path, type = "fuse.coherencyd\0"u8, data = Terminated(options))
        {
            int result = Libc.Mount(from, to, type, ProcessFlags.MS_NOSUID | ProcessFlags.MS_NODEV, data);
            if (result < 0)
            {
                _ = Libc.Close(fd);
                throw new LinuxException($"mounting at {mountPoint}", result.ToErrno());
            }
        }

        return new FuseMount(fd, path);
    }

    /// <summary>
    /// Takes the mount away. While a program uses it that is only possible by force: what the program does there from then on
    /// fails with ENOTCONN. False when that was necessary.
    /// </summary>
    public bool Unmount()
    {
        const int Force = ProcessFlags.MNT_FORCE | ProcessFlags.MNT_DETACH;
        fixed (byte* path = _mountPoint)
        {
            if (Libc.Unmount(path, ProcessFlags.UMOUNT_NOFOLLOW).ToErrno() != Errno.EBUSY)
            {
                return true;
            }

            _ = Libc.Unmount(path, Force | ProcessFlags.UMOUNT_NOFOLLOW);
            return false;
        }
    }

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    private static int OpenDevice()
    {
        fixed (byte* path = "/dev/fuse\0"u8)
        {
            return LinuxException.Check(Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_RDWR), "opening /dev/fuse");
        }
    }

    private static byte[] Terminated(string text) => Encoding.UTF8.GetBytes(text + '\0');
}
