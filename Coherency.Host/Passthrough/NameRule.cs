using Coherency.Core.Linux;

namespace Coherency.Host.Passthrough;

/// <summary>
/// Whether a directory takes every string of bytes for a name of its own. Where it does not, because it ignores case or
/// normalises, the slot of a name says nothing about the other spellings of it, by which it may be made and removed.
/// </summary>
internal enum NameRule : byte
{
    /// <summary>Not asked yet.</summary>
    Unknown,

    /// <summary>Other bytes are another name.</summary>
    Exact,

    /// <summary>Other bytes may be the same name.</summary>
    Folding,

    /// <summary>Each directory of the file system has its own rule.</summary>
    ByDirectory,
}

/// <summary>Finds out by which rule names are compared.</summary>
internal static class NameRules
{
    /// <summary>That of a file system; <see cref="NameRule.Folding"/> for all that are not known to be exact.</summary>
    /// <param name="type">f_type of statfs(2).</param>
    /// <param name="fd">Some file or directory of it, opened for reading; -1 if there is none.</param>
    public static NameRule OfFileSystem(long type, int fd) => type switch
    {
        FileSystemTypes.BTRFS_SUPER_MAGIC or FileSystemTypes.RAMFS_MAGIC or FileSystemTypes.SQUASHFS_MAGIC => NameRule.Exact,
        FileSystemTypes.EXT4_SUPER_MAGIC or FileSystemTypes.F2FS_SUPER_MAGIC or FileSystemTypes.TMPFS_MAGIC
            or FileSystemTypes.OVERLAYFS_SUPER_MAGIC => NameRule.ByDirectory,
        FileSystemTypes.XFS_SUPER_MAGIC => OfXfs(fd),
        _ => NameRule.Folding,
    };

    /// <summary>That of a directory, opened for reading, of a file system with the rule <see cref="NameRule.ByDirectory"/>.</summary>
    public static NameRule OfDirectory(int fd) =>
        Libc.GetInodeFlags(fd, out uint flags) >= 0 && (flags & IoctlFlags.FS_CASEFOLD_FL) != 0 ? NameRule.Folding : NameRule.Exact;

    private static NameRule OfXfs(int fd) =>
        Libc.GetXfsGeometry(fd, out xfs_fsop_geom_v1 geometry) >= 0 && (geometry.flags & IoctlFlags.XFS_FSOP_GEOM_FLAGS_DIRV2CI) == 0
            ? NameRule.Exact
            : NameRule.Folding;
}
