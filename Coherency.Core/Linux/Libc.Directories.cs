using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static int MkDirAt(int dirFd, byte* path, uint mode) => Result(mkdirat(dirFd, path, mode));

    public static int MkNodAt(int dirFd, byte* path, uint mode, ulong device) => Result(mknodat(dirFd, path, mode, device));

    public static int SymlinkAt(byte* target, int dirFd, byte* path) => Result(symlinkat(target, dirFd, path));

    public static int LinkAt(int oldDirFd, byte* oldPath, int newDirFd, byte* newPath, int flags) =>
        Result(linkat(oldDirFd, oldPath, newDirFd, newPath, flags));

    public static int UnlinkAt(int dirFd, byte* path, int flags) => Result(unlinkat(dirFd, path, flags));

    public static int RenameAt2(int oldDirFd, byte* oldPath, int newDirFd, byte* newPath, uint flags) =>
        Result(renameat2(oldDirFd, oldPath, newDirFd, newPath, flags));

    public static long ReadLinkAt(int dirFd, byte* path, byte* buffer, nuint size) => Result(readlinkat(dirFd, path, buffer, size));

    /// <summary>Fills <paramref name="buffer"/> with records of struct linux_dirent64; returns bytes, 0 at the end.</summary>
    public static long GetDents64(int fd, byte* buffer, nuint size) => Result(getdents64(fd, buffer, size));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mkdirat(int dirfd, byte* path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mknodat(int dirfd, byte* path, uint mode, ulong device);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int symlinkat(byte* target, int dirfd, byte* path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int linkat(int oldDirFd, byte* oldPath, int newDirFd, byte* newPath, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unlinkat(int dirfd, byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int renameat2(int oldDirFd, byte* oldPath, int newDirFd, byte* newPath, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long readlinkat(int dirfd, byte* path, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long getdents64(int fd, byte* buffer, nuint size);
}
