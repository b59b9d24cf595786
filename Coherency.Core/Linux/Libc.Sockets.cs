using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static int Socket(int family, int type, int protocol) => Result(socket(family, type | SocketFlags.SOCK_CLOEXEC, protocol));

    public static int Bind(int fd, in sockaddr_un address)
    {
        fixed (sockaddr_un* p = &address)
        {
            return Result(bind(fd, p, (uint)sizeof(sockaddr_un)));
        }
    }

    public static int Connect(int fd, in sockaddr_un address)
    {
        fixed (sockaddr_un* p = &address)
        {
            return Result(connect(fd, p, (uint)sizeof(sockaddr_un)));
        }
    }

    public static int Listen(int fd, int backlog) => Result(listen(fd, backlog));

    public static int Accept(int fd) => Result(accept4(fd, null, null, SocketFlags.SOCK_CLOEXEC));

    public static long SendMsg(int fd, msghdr* message, int flags) => Result(sendmsg(fd, message, flags));

    public static long RecvMsg(int fd, msghdr* message, int flags) => Result(recvmsg(fd, message, flags));

    /// <summary>Makes receiving fail with EAGAIN when that many seconds bring no data.</summary>
    public static int SetReceiveTimeout(int fd, int seconds)
    {
        // Stands for a struct timeval, which has microseconds where this has nanoseconds: none either way.
        timespec timeout = new() { tv_sec = seconds };
        return Result(setsockopt(fd, SocketFlags.SOL_SOCKET, SocketFlags.SO_RCVTIMEO, &timeout, (uint)sizeof(timespec)));
    }

    public static int Shutdown(int fd, int how) => Result(shutdown(fd, how));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(int fd, void* address, uint* length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long sendmsg(int fd, msghdr* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long recvmsg(int fd, msghdr* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int fd, int level, int option, void* value, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(int fd, int how);
}
