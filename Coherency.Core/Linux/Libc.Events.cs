using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static int EventFd(uint initial, int flags) => Result(eventfd(initial, flags));

    /// <summary>Waits for events; <paramref name="timeoutMs"/> -1 waits for ever.</summary>
    public static int Poll(pollfd* fds, int count, int timeoutMs) => Result(poll(fds, (nuint)count, timeoutMs));

    public static int EpollCreate() => Result(epoll_create1(EventFlags.EPOLL_CLOEXEC));

    public static int EpollControl(int epollFd, int operation, int fd, epoll_event* change) =>
        Result(epoll_ctl(epollFd, operation, fd, change));

    /// <summary>Waits for events; <paramref name="timeoutMs"/> -1 waits for ever.</summary>
    public static int EpollWait(int epollFd, epoll_event* events, int count, int timeoutMs) =>
        Result(epoll_wait(epollFd, events, count, timeoutMs));

    public static int FanotifyInit(uint flags, uint eventFlags) => Result(fanotify_init(flags, eventFlags));

    public static int FanotifyMark(int fanotifyFd, uint flags, ulong mask, int dirFd, byte* path) =>
        Result(fanotify_mark(fanotifyFd, flags, mask, dirFd, path));

    public static int InotifyInit(int flags) => Result(inotify_init1(flags));

    /// <summary>Watches an inode, or changes its watch; returns the watch's number.</summary>
    public static int InotifyAddWatch(int inotifyFd, byte* path, uint mask) => Result(inotify_add_watch(inotifyFd, path, mask));

    public static int InotifyRemoveWatch(int inotifyFd, int watch) => Result(inotify_rm_watch(inotifyFd, watch));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fanotify_init(uint flags, uint event_f_flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fanotify_mark(int fanotify_fd, uint flags, ulong mask, int dirfd, byte* path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_init1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_add_watch(int fd, byte* path, uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_rm_watch(int fd, int wd);

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
