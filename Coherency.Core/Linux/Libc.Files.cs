using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

/// <summary>
/// System calls. Every method returns what the call returns, or the negative error number when it failed, as the kernel
/// itself does: <c>ToErrno()</c> tells. Paths are NUL-terminated bytes: file names on Linux are not text.
/// All P/Invokes of the project stand in the files of this class, each entry point once.
/// </summary>
// SAFETY (all files of this class): the kernel reads and writes what it is given. Callers see to it that paths and
// names end with a NUL, that buffers have the bytes they say, and that nothing moves or goes before the call returns. A
// struct that is filled in here is pinned, and as long as the kernel's (Coherency.Tests/Layout).
public static unsafe partial class Libc
{
    private static int Result(int value) => value >= 0 ? value : -Marshal.GetLastPInvokeError();

    private static long Result(long value) => value >= 0 ? value : -Marshal.GetLastPInvokeError();

    public static int OpenAt(int dirFd, byte* path, int flags, uint mode = 0) =>
        Result(openat(dirFd, path, flags | OpenFlags.O_CLOEXEC, mode));

    public static int Close(int fd) => Result(close(fd));

    public static int Dup(int fd) => Result(fcntl(fd, FDupFdCloExec, 0));

    /// <summary>Makes a descriptor mean what another one does, in one step: what it meant before is closed.</summary>
    public static int Replace(int fd, int by) => Result(dup3(by, fd, OpenFlags.O_CLOEXEC));

    public static int NameToHandleAt(int dirFd, byte* path, file_handle* handle, int* mountId, int flags) =>
        Result(name_to_handle_at(dirFd, path, handle, mountId, flags));

    public static int OpenByHandleAt(int mountFd, file_handle* handle, int flags) =>
        Result(open_by_handle_at(mountFd, handle, flags | OpenFlags.O_CLOEXEC));

    public static int Statx(int dirFd, byte* path, int flags, uint mask, out statx result)
    {
        fixed (statx* p = &result)
        {
            return Result(statx_(dirFd, path, flags, mask, p));
        }
    }

    public static int FStatFs(int fd, out statfs result)
    {
        fixed (statfs* p = &result)
        {
            return Result(fstatfs(fd, p));
        }
    }

    public static int FTruncate(int fd, long length) => Result(ftruncate(fd, length));

    public static int FChmodAt(int dirFd, byte* path, uint mode) => Result(fchmodat(dirFd, path, mode, 0));

    /// <summary>fchmodat2(2), for which libc has no function everywhere; ENOSYS before Linux 6.6.</summary>
    public static int FChmodAt2(int dirFd, byte* path, uint mode, int flags) =>
        Result((int)syscall(SysFChmodAt2, dirFd, (nint)path, (nint)mode, flags));

    public static int FChownAt(int dirFd, byte* path, uint uid, uint gid, int flags) => Result(fchownat(dirFd, path, uid, gid, flags));

    public static int UTimensAt(int dirFd, byte* path, timespec* times, int flags) => Result(utimensat(dirFd, path, times, flags));

    public static int Fsync(int fd) => Result(fsync(fd));

    public static int FDataSync(int fd) => Result(fdatasync(fd));

    public static int SyncFs(int fd) => Result(syncfs(fd));

    public static int Fallocate(int fd, int mode, long offset, long length) => Result(fallocate(fd, mode, offset, length));

    public static long LSeek(int fd, long offset, int whence) => Result(lseek(fd, offset, whence));

    public static long CopyFileRange(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, uint flags) =>
        Result(copy_file_range(fdIn, offsetIn, fdOut, offsetOut, length, flags));

    public static long Read(int fd, void* buffer, nuint length) => Result(read(fd, buffer, length));

    public static long Write(int fd, void* buffer, nuint length) => Result(write(fd, buffer, length));

    public static long PReadV2(int fd, IoVec* vectors, int count, long offset, int flags) =>
        Result(preadv2(fd, vectors, count, offset, flags));

    public static long PWriteV2(int fd, IoVec* vectors, int count, long offset, int flags) =>
        Result(pwritev2(fd, vectors, count, offset, flags));

    public static int Fcntl(int fd, int command, nint argument) => Result(fcntl(fd, command, argument));

    public static int FcntlLock(int fd, int command, ref flock argument)
    {
        fixed (flock* p = &argument)
        {
            return Result(fcntl(fd, command, (nint)p));
        }
    }

    public static int Flock(int fd, int operation) => Result(flock_(fd, operation));

    /// <summary>FS_IOC_GETFLAGS (ioctl_iflags(2)); ENOTTY where a file system has no such flags.</summary>
    public static int GetInodeFlags(int fd, out uint flags)
    {
        // The kernel writes an int, whatever the request's number says.
        fixed (uint* p = &flags)
        {
            return Result(ioctl(fd, IoctlFlags.FS_IOC_GETFLAGS, p));
        }
    }

    /// <summary>ioctl(2) of /dev/fuse.</summary>
    /// <param name="argument">What the request reads.</param>
    public static int FuseDeviceControl<T>(int fd, uint request, in T argument)
        where T : unmanaged
    {
        fixed (T* p = &argument)
        {
            return Result(ioctl(fd, request, p));
        }
    }

    /// <summary>XFS_IOC_FSGEOMETRY_V1 (ioctl_xfs_fsgeometry(2)) of any file or directory on XFS.</summary>
    public static int GetXfsGeometry(int fd, out xfs_fsop_geom_v1 geometry)
    {
        fixed (xfs_fsop_geom_v1* p = &geometry)
        {
            return Result(ioctl(fd, IoctlFlags.XFS_IOC_FSGEOMETRY_V1, p));
        }
    }

    private const int FDupFdCloExec = 1030;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int openat(int dirfd, byte* path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup3(int oldfd, int newfd, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int name_to_handle_at(int dirfd, byte* path, file_handle* handle, int* mountId, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int open_by_handle_at(int mountFd, file_handle* handle, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int statx_(int dirfd, byte* path, int flags, uint mask, statx* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fstatfs(int fd, statfs* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmodat(int dirfd, byte* path, uint mode, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchownat(int dirfd, byte* path, uint uid, uint gid, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int utimensat(int dirfd, byte* path, timespec* times, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int syncfs(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fallocate(int fd, int mode, long offset, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long copy_file_range(int fdIn, long* offIn, int fdOut, long* offOut, nuint length, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long read(int fd, void* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long write(int fd, void* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long preadv2(int fd, IoVec* vectors, int count, long offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long pwritev2(int fd, IoVec* vectors, int count, long offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int flock_(int fd, int operation);
}
