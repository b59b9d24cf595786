using System.Numerics;
using Coherency.Core.Linux;
using Coherency.Host.Paths;

namespace Coherency.Host.Passthrough;

/// <summary>
/// The inode numbers that clients are shown. What a client sees as one file system can be several devices of the host: subvolumes of
/// Btrfs, layers of overlayfs, mounts that are not announced. Two files with one device and one number are the same file to programs,
/// so numbers that belong to another device than the file system's own are mixed with that.
/// </summary>
internal sealed class InodeNumbers(MountTable mounts)
{
    private const ulong OddOfDevice = 0x9E3779B97F4A7C15;

    private volatile bool _hasOthers;

    /// <summary>What is exclusive-ored with the inode number.</summary>
    /// <param name="showsMounts">The client has a file system for each mount, and not one for all.</param>
    public ulong MaskOf(in statx attributes, bool showsMounts)
    {
        ulong device = DeviceOf(attributes);
        Mount? mount = mounts[0];
        if (showsMounts && attributes.stx_mnt_id != mount.Id)
        {
            mounts.TryGet(attributes.stx_mnt_id, out mount);
        }

        if (mount?.Device == device)
        {
            return 0;
        }

        _hasOthers = true;
        ulong mixed = (device + 1) * OddOfDevice;
        return BitOperations.RotateLeft(mixed, 32) ^ mixed;
    }

    /// <summary>The same of what is in a directory.</summary>
    /// <param name="directory">Its descriptor.</param>
    public unsafe ulong MaskOf(int directory, bool showsMounts) =>
        _hasOthers
            && Libc.Statx(directory, EmptyPath.Pointer, OpenFlags.AT_EMPTY_PATH, InodeResolver.AttributesWanted, out statx attributes) >= 0
            ? MaskOf(attributes, showsMounts)
            : 0;

    public static ulong DeviceOf(in statx attributes) => ((ulong)attributes.stx_dev_major << 32) | attributes.stx_dev_minor;
}
