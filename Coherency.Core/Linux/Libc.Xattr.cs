using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static long GetXattr(byte* path, byte* name, void* value, nuint size) => Result(getxattr(path, name, value, size));

    public static long FGetXattr(int fd, byte* name, void* value, nuint size) => Result(fgetxattr(fd, name, value, size));

    public static long ListXattr(byte* path, byte* list, nuint size) => Result(listxattr(path, list, size));

    public static long FListXattr(int fd, byte* list, nuint size) => Result(flistxattr(fd, list, size));

    public static int SetXattr(byte* path, byte* name, void* value, nuint size, int flags) => Result(setxattr(path, name, value, size, flags));

    public static int FSetXattr(int fd, byte* name, void* value, nuint size, int flags) => Result(fsetxattr(fd, name, value, size, flags));

    public static int RemoveXattr(byte* path, byte* name) => Result(removexattr(path, name));

    public static int FRemoveXattr(int fd, byte* name) => Result(fremovexattr(fd, name));

    [LibraryImport("libc", SetLastError = true)]
    private static partial long getxattr(byte* path, byte* name, void* value, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long fgetxattr(int fd, byte* name, void* value, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long listxattr(byte* path, byte* list, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long flistxattr(int fd, byte* list, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setxattr(byte* path, byte* name, void* value, nuint size, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsetxattr(int fd, byte* name, void* value, nuint size, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int removexattr(byte* path, byte* name);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fremovexattr(int fd, byte* name);
}
