using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>A listening UNIX socket that can be told to stop.</summary>
internal sealed unsafe class GuestListener : VmmSource
{
    /// <summary>VMMs that may wait for the guest's present one to go.</summary>
    private const int Backlog = 4;

    private const int RetryMs = 100;

    private readonly int _fd;
    private readonly string _path;
    private readonly EventFd _stop = EventFd.Create();

    /// <exception cref="SocketPathException">The path cannot be used; the message says why and what to do.</exception>
    public GuestListener(string path)
    {
        _path = path;
        if (!sockaddr_un.TryMake(path, out sockaddr_un address))
        {
            throw new SocketPathException(
                $"socket path {path} has {Encoding.UTF8.GetByteCount(path)} bytes: 1 to {sockaddr_un.PathMax - 1} are possible");
        }

        RemoveStale(path, address);
        _fd = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_STREAM, 0), "socket");
        int result = Libc.Bind(_fd, address);
        if (result == 0)
        {
            // Before anybody can connect: the process may have no umask.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
            result = Libc.Listen(_fd, Backlog);
        }

        if (result < 0)
        {
            _ = Libc.Close(_fd);
            throw new SocketPathException($"cannot listen on socket {path}: {new LinuxException("bind", result.ToErrno()).Message}");
        }
    }

    /// <summary>Waits for a connection; false when <see cref="Stop"/> was called.</summary>
    public override bool TryAccept(out int fd)
    {
        fd = -1;
        // SAFETY: two places, of which two are polled and looked at, or the second alone.
        pollfd* fds = stackalloc pollfd[2];
        fds[0] = new pollfd { fd = _fd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = _stop.Fd, events = EventFlags.POLLIN };
        while (fd < 0)
        {
            _ = Libc.Poll(fds, 2, -1);
            if (fds[1].revents != 0)
            {
                return false;
            }

            fd = fds[0].revents != 0 ? Libc.Accept(_fd) : -1;
            if (fd < 0)
            {
                // Descriptors have run out, perhaps: try again soon, but not all the time.
                _ = Libc.Poll(fds + 1, 1, RetryMs);
            }
        }

        return true;
    }

    public override void Stop() => _stop.Signal();

    public override void Dispose()
    {
        _ = Libc.Close(_fd);
        _stop.Dispose();
        File.Delete(_path);
    }

    /// <summary>A socket that nobody listens on any more was left by a daemon that was killed; anything else is not ours.</summary>
    private static void RemoveStale(string path, in sockaddr_un address)
    {
        uint type = FileType(address);
        if (type == 0)
        {
            return;
        }

        if (type != StatFlags.S_IFSOCK)
        {
            throw new SocketPathException($"{path} exists and is no socket: remove it or choose another path");
        }

        int probe = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_STREAM, 0), "socket");
        Errno error = Libc.Connect(probe, address).ToErrno();
        _ = Libc.Close(probe);
        if (error != Errno.ECONNREFUSED)
        {
            throw new SocketPathException(error == Errno.None
                ? $"socket {path} is in use by another process: stop it or choose another path"
                : $"socket {path} cannot be tried ({error}): remove it or choose another path");
        }

        File.Delete(path);
    }

    /// <summary>S_IFMT bits of what is at the path, 0 when nothing is.</summary>
    private static uint FileType(in sockaddr_un address)
    {
        // SAFETY: ToAddress has left a NUL behind the path.
        fixed (byte* path = address.sun_path)
        {
            int result = Libc.Statx(OpenFlags.AT_FDCWD, path, OpenFlags.AT_SYMLINK_NOFOLLOW, StatFlags.STATX_BASIC_STATS, out statx found);
            return result == 0 ? found.stx_mode & StatFlags.S_IFMT : 0;
        }
    }
}
