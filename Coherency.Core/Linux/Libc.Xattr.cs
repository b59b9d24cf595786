using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

public static unsafe partial class Libc
{
    public static long GetXattr(byte* path, byte* name, void* value, nuint size) => Result(getxattr(path, name, value, size));

    public static long ListXattr(byte* path, byte* list, nuint size) => Result(listxattr(path, list, size));

    public static int SetXattr(byte* path, byte* name, void* value, nuint size, int flags) =>
        Result(setxattr(path, name, value, size, flags));

    public static int RemoveXattr(byte* path, byte* name) => Result(removexattr(path, name));

    [LibraryImport("libc", SetLastError = true)]
    private static partial long getxattr(byte* path, byte* name, void* value, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long listxattr(byte* path, byte* list, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setxattr(byte* path, byte* name, void* value, nuint size, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int removexattr(byte* path, byte* name);
}
