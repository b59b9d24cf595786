using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

/// <summary>struct iovec: a piece of memory, <c>Length</c> in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public unsafe struct IoVec
{
    public byte* Base;
    public nuint Length;

    public IoVec(byte* start, nuint length)
    {
        Base = start;
        Length = length;
    }
}

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct timespec
{
    public long tv_sec;
    public long tv_nsec;
}

/// <summary>struct statx_timestamp.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct statx_timestamp
{
    public long tv_sec;
    public uint tv_nsec;
    public int __reserved;
}

/// <summary>struct statx (linux/stat.h): attributes of an inode.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
public unsafe struct statx
{
    public uint stx_mask;
    public uint stx_blksize;
    public ulong stx_attributes;
    public uint stx_nlink;
    public uint stx_uid;
    public uint stx_gid;
    public ushort stx_mode;
    public ushort __spare0;
    public ulong stx_ino;
    public ulong stx_size;
    public ulong stx_blocks;
    public ulong stx_attributes_mask;
    public statx_timestamp stx_atime;
    public statx_timestamp stx_btime;
    public statx_timestamp stx_ctime;
    public statx_timestamp stx_mtime;
    public uint stx_rdev_major;
    public uint stx_rdev_minor;
    public uint stx_dev_major;
    public uint stx_dev_minor;
    public ulong stx_mnt_id;
    public uint stx_dio_mem_align;
    public uint stx_dio_offset_align;
    public fixed ulong __spare3[12];
}

/// <summary>struct flock (64 bit); <c>l_len</c> 0 means to the end of the file.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct flock
{
    public short l_type;
    public short l_whence;
    public long l_start;
    public long l_len;
    public int l_pid;
}

/// <summary>struct statfs (64 bit); counts in units of <c>f_frsize</c> bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
public unsafe struct statfs
{
    public long f_type;
    public long f_bsize;
    public ulong f_blocks;
    public ulong f_bfree;
    public ulong f_bavail;
    public ulong f_files;
    public ulong f_ffree;
    public ulong f_fsid;
    public long f_namelen;
    public long f_frsize;
    public long f_flags;
    public fixed long f_spare[4];
}

/// <summary>struct xfs_fsop_geom_v1 of XFS_IOC_FSGEOMETRY_V1; sizes and counts in blocks unless the name says otherwise.</summary>
[StructLayout(LayoutKind.Sequential, Size = 112)]
public unsafe struct xfs_fsop_geom_v1
{
    public uint blocksize;
    public uint rtextsize;
    public uint agblocks;
    public uint agcount;
    public uint logblocks;
    public uint sectsize;
    public uint inodesize;
    public uint imaxpct;
    public ulong datablocks;
    public ulong rtblocks;
    public ulong rtextents;
    public ulong logstart;
    public fixed byte uuid[16];
    public uint sunit;
    public uint swidth;
    public int version;
    public uint flags;
    public uint logsectsize;
    public uint rtsectsize;
    public uint dirblocksize;
}

/// <summary>struct file_handle with room for the largest handle (MAX_HANDLE_SZ).</summary>
[StructLayout(LayoutKind.Sequential, Size = 136)]
public unsafe struct file_handle
{
    public const int MaxBytes = 128;

    public uint handle_bytes;
    public int handle_type;
    public fixed byte f_handle[MaxBytes];
}

/// <summary>
/// struct fanotify_event_metadata: an event of fanotify(7), <c>event_len</c> bytes in all. After <c>metadata_len</c> bytes
/// records follow that each start with <see cref="fanotify_event_info_header"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct fanotify_event_metadata
{
    public uint event_len;
    public byte vers;
    public byte reserved;
    public ushort metadata_len;
    public ulong mask;
    public int fd;
    public int pid;
}

/// <summary>struct fanotify_event_info_header; <c>len</c> counts the whole record, in bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 4)]
public struct fanotify_event_info_header
{
    public byte info_type;
    public byte pad;
    public ushort len;
}

/// <summary>
/// struct fanotify_event_info_fid: <c>fsid</c> is f_fsid of statfs(2). A struct file_handle follows, not aligned, its bytes,
/// and in records with a name that name, with a NUL.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 12)]
public struct fanotify_event_info_fid
{
    public fanotify_event_info_header hdr;
    public ulong fsid;
}

/// <summary>struct inotify_event; <c>len</c> bytes of a name follow, filled up with NULs.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct inotify_event
{
    public int wd;
    public uint mask;
    public uint cookie;
    public uint len;
}

/// <summary>struct sigaction, as libc has it.</summary>
[StructLayout(LayoutKind.Sequential, Size = 152)]
public unsafe struct sigaction
{
    public nint sa_sigaction;
    public fixed ulong sa_mask[16];
    public int sa_flags;
    public nint sa_restorer;
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct pollfd
{
    public int fd;
    public short events;
    public short revents;
}

/// <summary>struct epoll_event, packed on x86-64.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 12)]
public struct epoll_event
{
    public uint events;
    public ulong data;
}

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential, Size = 56)]
public unsafe struct msghdr
{
    public void* msg_name;
    public uint msg_namelen;
    public IoVec* msg_iov;
    public nuint msg_iovlen;
    public void* msg_control;
    public nuint msg_controllen;
    public int msg_flags;
}

/// <summary>struct cmsghdr.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct cmsghdr
{
    public nuint cmsg_len;
    public int cmsg_level;
    public int cmsg_type;
}

/// <summary>struct sockaddr_un.</summary>
[StructLayout(LayoutKind.Sequential, Size = 110)]
public unsafe struct sockaddr_un
{
    public const int PathMax = 108;

    public ushort sun_family;
    public fixed byte sun_path[PathMax];

    /// <summary>The address of a path; false when the path and its NUL do not fit.</summary>
    public static bool TryMake(string path, out sockaddr_un address)
    {
        address = new sockaddr_un { sun_family = SocketFlags.AF_UNIX };
        int bytes = System.Text.Encoding.UTF8.GetByteCount(path);
        if (bytes is 0 or >= PathMax)
        {
            return false;
        }

        // SAFETY: the path and its NUL were found to fit into sun_path, which is zeroed.
        fixed (byte* start = address.sun_path)
        {
            System.Text.Encoding.UTF8.GetBytes(path, new Span<byte>(start, PathMax));
        }

        return true;
    }
}

/// <summary>struct rlimit.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct rlimit
{
    public ulong rlim_cur;
    public ulong rlim_max;
}

/// <summary>struct __user_cap_header_struct of capget(2) and capset(2); <c>pid</c> 0 is the calling thread.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public struct __user_cap_header_struct
{
    public uint version;
    public int pid;
}
