namespace Coherency.Core.Linux;

/// <summary>
/// Error numbers of Linux on x86-64 and arm64 (asm-generic/errno-base.h, asm-generic/errno.h). A file system failure is
/// such a value, returned to the guest; it is never an exception.
/// </summary>
public enum Errno
{
    None = 0,
    EPERM = 1,
    ENOENT = 2,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ENOTTY = 25,
    ETXTBSY = 26,
    EFBIG = 27,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EMLINK = 31,
    EPIPE = 32,
    ERANGE = 34,
    EDEADLK = 35,
    ENAMETOOLONG = 36,
    ENOLCK = 37,
    ENOSYS = 38,
    ENOTEMPTY = 39,
    ELOOP = 40,
    ENODATA = 61,
    EPROTO = 71,
    EOVERFLOW = 75,

    /// <summary>To be started again; it stays within the daemon.</summary>
    ERESTART = 85,
    EOPNOTSUPP = 95,
    EADDRINUSE = 98,
    ECONNABORTED = 103,
    ECONNRESET = 104,
    ENOBUFS = 105,
    ENOTCONN = 107,
    ECONNREFUSED = 111,
    ESTALE = 116,
}

/// <summary>Tells results of system calls apart: zero or positive is a value, negative is an error number.</summary>
public static class ErrnoExtensions
{
    /// <summary>The error in a result of <see cref="Libc"/>, or <see cref="Errno.None"/>.</summary>
    public static Errno ToErrno(this int result) => result < 0 ? (Errno)(-result) : Errno.None;

    /// <summary>The error in a result of <see cref="Libc"/>, or <see cref="Errno.None"/>.</summary>
    public static Errno ToErrno(this long result) => result < 0 ? (Errno)(int)-result : Errno.None;
}
