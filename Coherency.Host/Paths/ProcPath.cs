using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace Coherency.Host.Paths;

/// <summary>
/// The path /proc/self/fd/N: through it, calls that take no descriptor, or no O_PATH one, reach exactly the inode that N
/// stands for. Its link leads to the inode itself and is followed no further, so a symlink's own inode can be named too.
/// </summary>
internal unsafe ref struct ProcPath
{
    private const int BytesMax = 32;

    private fixed byte _path[BytesMax];

    public ProcPath(int fd)
    {
        // SAFETY: _path has BytesMax; the prefix, at most eleven digits and the NUL are 26.
        Span<byte> path = new(Pointer, BytesMax);
        ReadOnlySpan<byte> prefix = "/proc/self/fd/"u8;
        prefix.CopyTo(path);
        Utf8Formatter.TryFormat(fd, path[prefix.Length..^1], out int digits);
        path[prefix.Length + digits] = 0;
    }

    // SAFETY: a ref struct stays on the stack, where nothing moves it; callers use the pointer while they hold the value.
    public readonly byte* Pointer => (byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in _path[0]));
}

/// <summary>The empty path that goes with AT_EMPTY_PATH.</summary>
internal static unsafe class EmptyPath
{
    // SAFETY: a u8 literal is constant data of the assembly, never moved, with a NUL after its last byte.
    public static byte* Pointer =>
        (byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in System.Runtime.InteropServices.MemoryMarshal.GetReference("\0"u8)));
}
