using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Guest.Files;

/// <summary>What stat(2) tells in the guest.</summary>
/// <param name="Mode">Type and permissions.</param>
/// <param name="Size">In bytes.</param>
public sealed record GuestFileStatus(
    NodeId Node, ulong Ino, uint Mode, long Size, uint Links, uint Uid, uint Gid, DateTime ModifiedUtc, DateTime ChangedUtc)
{
    private const long NanosecondsPerTick = 100;

    public bool IsDirectory => (Mode & StatFlags.S_IFMT) == StatFlags.S_IFDIR;

    public bool IsRegularFile => (Mode & StatFlags.S_IFMT) == StatFlags.S_IFREG;

    public bool IsSymlink => (Mode & StatFlags.S_IFMT) == StatFlags.S_IFLNK;

    /// <summary>Permission bits only.</summary>
    public uint Permissions => Mode & ~StatFlags.S_IFMT;

    internal static GuestFileStatus From(NodeId node, in fuse_attr attributes) => new(
        node,
        attributes.ino,
        attributes.mode,
        (long)attributes.size,
        attributes.nlink,
        attributes.uid,
        attributes.gid,
        ToUtc(attributes.mtime, attributes.mtimensec),
        ToUtc(attributes.ctime, attributes.ctimensec));

    private static DateTime ToUtc(ulong seconds, uint nanoseconds) =>
        DateTime.UnixEpoch.AddSeconds(unchecked((long)seconds)).AddTicks(nanoseconds / NanosecondsPerTick);
}
