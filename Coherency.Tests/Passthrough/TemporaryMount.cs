using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Tests.Passthrough;

/// <summary>Something mounted in the file system that the tests run in; gone when disposed.</summary>
internal sealed unsafe class TemporaryMount : IDisposable
{
    private readonly byte[] _target;

    /// <param name="type">A file system type; null to bind <paramref name="source"/>.</param>
    public TemporaryMount(string target, string source, string? type)
    {
        const ulong bind = 4096;
        Directory.CreateDirectory(target);
        _target = Encoding.UTF8.GetBytes(target + '\0');
        fixed (byte* t = _target, s = Encoding.UTF8.GetBytes(source + '\0'), y = type is null ? null : Encoding.UTF8.GetBytes(type + '\0'))
        {
            LinuxException.Check(Libc.Mount(s, t, y, type is null ? bind : 0, null), "mount");
        }
    }

    /// <summary>Lazily: the share keeps the mount busy until it is closed.</summary>
    public void Dispose()
    {
        fixed (byte* t = _target)
        {
            LinuxException.Check(Libc.Unmount(t, ProcessFlags.MNT_DETACH), "umount");
        }
    }
}
