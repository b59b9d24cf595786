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

    /// <summary>The address that a socket is bound to.</summary>
    public static int GetSocketName(int fd, out sockaddr_un address)
    {
        address = default;
        uint length = (uint)sizeof(sockaddr_un);
        fixed (sockaddr_un* p = &address)
        {
            return Result(getsockname(fd, p, &length));
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

    /// <summary>Two sockets that are connected with each other.</summary>
    /// <param name="type">SOCK_STREAM or SOCK_SEQPACKET.</param>
    public static int SocketPair(int type, out int first, out int second)
    {
        int* pair = stackalloc int[2] { -1, -1 };
        int result = Result(socketpair(SocketFlags.AF_UNIX, type | SocketFlags.SOCK_CLOEXEC, 0, pair));
        (first, second) = (pair[0], pair[1]);
        return result;
    }

    /// <summary>An option of SOL_SOCKET that is an int.</summary>
    public static int GetSocketOption(int fd, int option, out int value)
    {
        uint length = sizeof(int);
        fixed (int* p = &value)
        {
            return Result(getsockopt(fd, SocketFlags.SOL_SOCKET, option, p, &length));
        }
    }

    /// <summary>Who connected a UNIX socket: struct ucred of unix(7).</summary>
    public static int GetPeerCredentials(int fd, out int processId, out uint uid, out uint gid)
    {
        int* credentials = stackalloc int[3];
        uint length = 3 * sizeof(int);
        int result = Result(getsockopt(fd, SocketFlags.SOL_SOCKET, SocketFlags.SO_PEERCRED, credentials, &length));
        (processId, uid, gid) = (credentials[0], (uint)credentials[1], (uint)credentials[2]);
        return result;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockname(int fd, sockaddr_un* address, uint* length);

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
    private static partial int socketpair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(int fd, int level, int option, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(int fd, int how);
}
