using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// File systems that can be served to clients that open nothing: their files are here, so that a write is not refused as late as
/// at close, and a position in a directory means the same to every descriptor, as long as the entry is there.
/// </summary>
internal static class LocalFileSystems
{
    /// <param name="type">f_type of statfs(2).</param>
    public static bool Contain(long type) => type switch
    {
        FileSystemTypes.EXT4_SUPER_MAGIC or FileSystemTypes.XFS_SUPER_MAGIC or FileSystemTypes.BTRFS_SUPER_MAGIC
            or FileSystemTypes.F2FS_SUPER_MAGIC => true,
        // Counted the entries from the start before that, so that removing one moved those behind it.
        FileSystemTypes.TMPFS_MAGIC => OperatingSystem.IsOSPlatformVersionAtLeast("linux", 6, 6),
        _ => false,
    };
}
