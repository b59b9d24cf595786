using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>What is known of file systems by their type, and cannot be found out by trying.</summary>
internal static class FileSystemTraits
{
    /// <summary>
    /// Its handles are good for as long as the file exists. FUSE (unless its server can do more, which nobody tells), FAT and exFAT find
    /// by a handle only what the kernel has in memory anyway: ESTALE for what a guest holds and the kernel has dropped.
    /// </summary>
    /// <param name="type">f_type of statfs(2).</param>
    public static bool KeepHandles(long type) => type is not (FileSystemTypes.FUSE_SUPER_MAGIC or FileSystemTypes.MSDOS_SUPER_MAGIC
        or FileSystemTypes.EXFAT_SUPER_MAGIC);

    /// <summary>
    /// It can be served to clients that open nothing: its files are here, so that a write is not refused as late as at close, and a
    /// position in a directory means the same to every descriptor, as long as the entry is there.
    /// </summary>
    /// <param name="type">f_type of statfs(2).</param>
    public static bool AreLocal(long type) => type switch
    {
        FileSystemTypes.EXT4_SUPER_MAGIC or FileSystemTypes.XFS_SUPER_MAGIC or FileSystemTypes.BTRFS_SUPER_MAGIC
            or FileSystemTypes.F2FS_SUPER_MAGIC => true,
        // Counted the entries from the start before that, so that removing one moved those behind it.
        FileSystemTypes.TMPFS_MAGIC => OperatingSystem.IsOSPlatformVersionAtLeast("linux", 6, 6),
        _ => false,
    };
}
