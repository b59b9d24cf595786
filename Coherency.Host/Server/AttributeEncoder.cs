using System.Runtime.CompilerServices;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;

namespace Coherency.Host.Server;

/// <summary>Turns values of the host's kernel into the protocol's.</summary>
internal static class AttributeEncoder
{
    /// <summary>What a FUSE_STATX reply may carry: the rest of struct statx is about the host's mounts.</summary>
    private const uint StatxMask = StatFlags.STATX_BASIC_STATS | StatFlags.STATX_BTIME;

    public static fuse_attr ToAttr(in statx from, uint flags) => new()
    {
        ino = from.stx_ino,
        size = from.stx_size,
        blocks = from.stx_blocks,
        atime = (ulong)from.stx_atime.tv_sec,
        mtime = (ulong)from.stx_mtime.tv_sec,
        ctime = (ulong)from.stx_ctime.tv_sec,
        atimensec = from.stx_atime.tv_nsec,
        mtimensec = from.stx_mtime.tv_nsec,
        ctimensec = from.stx_ctime.tv_nsec,
        mode = from.stx_mode,
        nlink = from.stx_nlink,
        uid = from.stx_uid,
        gid = from.stx_gid,
        rdev = EncodeDevice(from.stx_rdev_major, from.stx_rdev_minor),
        blksize = from.stx_blksize,
        flags = flags,
    };

    public static fuse_statx ToStatx(in statx from) => new()
    {
        mask = from.stx_mask & StatxMask,
        blksize = from.stx_blksize,
        attributes = from.stx_attributes,
        attributes_mask = from.stx_attributes_mask,
        nlink = from.stx_nlink,
        uid = from.stx_uid,
        gid = from.stx_gid,
        mode = from.stx_mode,
        ino = from.stx_ino,
        size = from.stx_size,
        blocks = from.stx_blocks,
        atime = ToTime(from.stx_atime),
        btime = ToTime(from.stx_btime),
        ctime = ToTime(from.stx_ctime),
        mtime = ToTime(from.stx_mtime),
        rdev_major = from.stx_rdev_major,
        rdev_minor = from.stx_rdev_minor,
        dev_major = from.stx_dev_major,
        dev_minor = from.stx_dev_minor,
    };

    public static fuse_kstatfs ToStatFs(in statfs from) => new()
    {
        blocks = from.f_blocks,
        bfree = from.f_bfree,
        bavail = from.f_bavail,
        files = from.f_files,
        ffree = from.f_ffree,
        bsize = (uint)from.f_bsize,
        namelen = (uint)from.f_namelen,
        frsize = (uint)from.f_frsize,
    };

    /// <summary>The 32 bit device number of the protocol: 12 bits of major between the minor's lower 8 and upper 12.</summary>
    private static uint EncodeDevice(uint major, uint minor) => (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12);

    private static fuse_sx_time ToTime(in statx_timestamp from) => new() { tv_sec = from.tv_sec, tv_nsec = from.tv_nsec };
}
