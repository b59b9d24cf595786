using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static int EventFd(uint initial, int flags) => Result(eventfd(initial, flags));

    /// <summary>Waits for events; <paramref name="timeoutMs"/> -1 waits for ever.</summary>
    public static int Poll(pollfd* fds, int count, int timeoutMs) => Result(poll(fds, (nuint)count, timeoutMs));

    public static int EpollCreate() => Result(epoll_create1(EventFlags.EPOLL_CLOEXEC));

    public static int EpollControl(int epollFd, int operation, int fd, epoll_event* change) => Result(epoll_ctl(epollFd, operation, fd, change));

    /// <summary>Waits for events; <paramref name="timeoutMs"/> -1 waits for ever.</summary>
    public static int EpollWait(int epollFd, epoll_event* events, int count, int timeoutMs) => Result(epoll_wait(epollFd, events, count, timeoutMs));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(pollfd* fds, nuint count, int timeoutMs);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epollFd, int operation, int fd, epoll_event* change);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epollFd, epoll_event* events, int count, int timeoutMs);
}
