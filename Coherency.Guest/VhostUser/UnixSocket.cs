using Coherency.Core.Linux;

namespace Coherency.Guest.VhostUser;

/// <summary>Connecting to a UNIX socket by path.</summary>
internal static class UnixSocket
{
    private const int RetryMs = 5;

    /// <summary>Connects; a socket that is not there or not listening yet is tried again until the time is up.</summary>
    /// <exception cref="LinuxException">Nobody listens there.</exception>
    public static int Connect(string path, int timeoutMs)
    {
        if (!sockaddr_un.TryMake(path, out sockaddr_un address))
        {
            throw new ArgumentException($"a socket path has 1 to {sockaddr_un.PathMax - 1} bytes: {path}", nameof(path));
        }

        long deadline = Environment.TickCount64 + timeoutMs;
        while (true)
        {
            int fd = LinuxException.Check(Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_STREAM, 0), "socket");
            Errno errno = Libc.Connect(fd, address).ToErrno();
            if (errno == Errno.None)
            {
                return fd;
            }

            _ = Libc.Close(fd);
            bool mayComeYet = errno is Errno.ENOENT or Errno.ECONNREFUSED or Errno.EAGAIN;
            if (!mayComeYet || Environment.TickCount64 >= deadline)
            {
                throw new LinuxException($"connecting to {path}", errno);
            }

            Thread.Sleep(RetryMs);
        }
    }
}
