using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The name that an inode has on the host now, as far as the kernel's cache knows it: of a descriptor that was opened by a handle it
/// may know none. A moment later it may be another one; so what is answered was looked at again.
/// </summary>
internal static unsafe class PresentName
{
    /// <summary>PATH_MAX.</summary>
    private const int PathBytesMax = 4096;

    /// <param name="key">The inode's.</param>
    /// <param name="name">Room for <see cref="EntryName.BytesMax"/>.</param>
    /// <param name="directory">Key of the directory that it is in.</param>
    public static bool TryFind(PassthroughShare share, int fd, ulong key, Span<byte> name, out int length, out ulong directory)
    {
        length = 0;
        directory = 0;
        byte* path = stackalloc byte[PathBytesMax + 1];
        ProcPath link = new(fd);
        long read = Libc.ReadLinkAt(OpenFlags.AT_FDCWD, link.Pointer, path, PathBytesMax);
        int slash = read > 1 && read < PathBytesMax ? new ReadOnlySpan<byte>(path, (int)read).LastIndexOf((byte)'/') : -1;
        length = (int)read - slash - 1;
        if (slash < 0 || length is 0 or > EntryName.BytesMax)
        {
            return false;
        }

        path[read] = 0;
        new ReadOnlySpan<byte>(path + slash + 1, length).CopyTo(name);
        using NameTarget found = share.Resolver.Identify(OpenFlags.AT_FDCWD, path);
        path[Math.Max(1, slash)] = 0;
        using NameTarget parent = share.Resolver.Identify(OpenFlags.AT_FDCWD, path);
        directory = parent.Key;
        return found.Exists && parent.Exists && found.Key == key;
    }
}
