namespace Coherency.Core.Linux;

// Constants keep the names and values of the C headers (asm-generic, which x86-64 follows).

/// <summary>Flags of open(2), openat2(2) and the *at calls.</summary>
public static class OpenFlags
{
    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_RDWR = 2;
    public const int O_ACCMODE = 3;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_NOCTTY = 0x100;
    public const int O_TRUNC = 0x200;
    public const int O_APPEND = 0x400;
    public const int O_NONBLOCK = 0x800;
    public const int O_DSYNC = 0x1000;
    public const int O_ASYNC = 0x2000;
    public const int O_DIRECT = 0x4000;
    public const int O_LARGEFILE = 0x8000;
    public const int O_DIRECTORY = 0x10000;
    public const int O_NOFOLLOW = 0x20000;
    public const int O_NOATIME = 0x40000;
    public const int O_CLOEXEC = 0x80000;
    public const int O_SYNC = 0x101000;
    public const int O_PATH = 0x200000;
    public const int O_TMPFILE = 0x410000;

    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;
    public const int AT_REMOVEDIR = 0x200;
    public const int AT_SYMLINK_FOLLOW = 0x400;
    public const int AT_NO_AUTOMOUNT = 0x800;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int AT_STATX_FORCE_SYNC = 0x2000;
    public const int AT_STATX_DONT_SYNC = 0x4000;

    public const uint RENAME_NOREPLACE = 1;
    public const uint RENAME_EXCHANGE = 2;
    public const uint RENAME_WHITEOUT = 4;
}

/// <summary>Flags of preadv2(2) and pwritev2(2).</summary>
public static class TransferFlags
{
    public const int RWF_DSYNC = 2;
    public const int RWF_SYNC = 4;
    public const int RWF_NOWAIT = 8;
    public const int RWF_APPEND = 16;
}

/// <summary>f_type of statfs(2).</summary>
public static class FileSystemTypes
{
    public const long BTRFS_SUPER_MAGIC = 0x9123683E;
    public const long EXT4_SUPER_MAGIC = 0xEF53;
    public const long EXFAT_SUPER_MAGIC = 0x2011BAB0;
    public const long F2FS_SUPER_MAGIC = 0xF2F52010;
    public const long FUSE_SUPER_MAGIC = 0x65735546;
    public const long HUGETLBFS_MAGIC = 0x958458F6;
    public const long MSDOS_SUPER_MAGIC = 0x4D44;
    public const long OVERLAYFS_SUPER_MAGIC = 0x794C7630;
    public const long RAMFS_MAGIC = 0x858458F6;
    public const long SQUASHFS_MAGIC = 0x73717368;
    public const long TMPFS_MAGIC = 0x01021994;
    public const long XFS_SUPER_MAGIC = 0x58465342;
}

/// <summary>Requests of ioctl(2), and bits of what they answer.</summary>
public static class IoctlFlags
{
    public const uint FS_IOC_GETFLAGS = 0x80086601;
    public const uint FS_CASEFOLD_FL = 0x40000000;

    public const uint FUSE_DEV_IOC_BACKING_OPEN = 0x4010E501;
    public const uint FUSE_DEV_IOC_BACKING_CLOSE = 0x4004E502;

    public const uint XFS_IOC_FSGEOMETRY_V1 = 0x80705864;
    public const uint XFS_FSOP_GEOM_FLAGS_DIRV2CI = 1 << 12;
}

/// <summary>Bits of st_mode and statx masks.</summary>
public static class StatFlags
{
    public const uint S_IFMT = 0xF000;
    public const uint S_IFSOCK = 0xC000;
    public const uint S_IFLNK = 0xA000;
    public const uint S_IFREG = 0x8000;
    public const uint S_IFBLK = 0x6000;
    public const uint S_IFDIR = 0x4000;
    public const uint S_IFCHR = 0x2000;
    public const uint S_IFIFO = 0x1000;
    public const uint S_ISUID = 0x800;
    public const uint S_ISGID = 0x400;
    public const uint S_ISVTX = 0x200;

    public const uint STATX_BASIC_STATS = 0x7FF;
    public const uint STATX_BTIME = 0x800;

    public const ulong STATX_ATTR_IMMUTABLE = 0x10;
    public const ulong STATX_ATTR_APPEND = 0x20;
    public const ulong STATX_ATTR_VERITY = 0x100000;
    public const ulong STATX_ATTR_DAX = 0x200000;
    public const uint STATX_MNT_ID = 0x1000;

    public const long UTIME_NOW = (1L << 30) - 1;
    public const long UTIME_OMIT = (1L << 30) - 2;
}

/// <summary>Constants of fcntl(2) and flock(2).</summary>
public static class LockFlags
{
    public const int F_GETFD = 1;
    public const int F_SETFD = 2;
    public const int FD_CLOEXEC = 1;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int F_OFD_GETLK = 36;
    public const int F_OFD_SETLK = 37;
    public const int F_OFD_SETLKW = 38;
    public const int F_ADD_SEALS = 1033;
    public const int F_GET_SEALS = 1034;

    public const int F_SEAL_SEAL = 1;
    public const int F_SEAL_SHRINK = 2;
    public const int F_SEAL_GROW = 4;

    public const short F_RDLCK = 0;
    public const short F_WRLCK = 1;
    public const short F_UNLCK = 2;

    public const int LOCK_SH = 1;
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int LOCK_UN = 8;
}

/// <summary>Constants of mmap(2), memfd_create(2) and madvise(2).</summary>
public static class MemoryFlags
{
    public const int PROT_NONE = 0;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int PROT_EXEC = 4;
    public const int MAP_SHARED = 1;
    public const int MAP_PRIVATE = 2;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_NORESERVE = 0x4000;
    public const uint MFD_CLOEXEC = 1;
    public const uint MFD_ALLOW_SEALING = 2;
    public const int MADV_DONTDUMP = 16;
    public const int MADV_POPULATE_WRITE = 23;
}

/// <summary>Constants of sigaction(2).</summary>
public static class SignalFlags
{
    public const int SIGBUS = 7;
    public const int SA_SIGINFO = 4;
    public const int SA_ONSTACK = 0x8000000;
}

/// <summary>Constants of poll(2), epoll(7) and eventfd(2).</summary>
public static class EventFlags
{
    public const short POLLIN = 1;
    public const short POLLPRI = 2;
    public const short POLLOUT = 4;
    public const short POLLERR = 8;
    public const short POLLHUP = 16;
    public const uint EPOLLIN = 1;
    public const uint EPOLLET = 1u << 31;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;
}

/// <summary>Constants of fanotify(7) and inotify(7).</summary>
public static class WatchFlags
{
    public const uint FAN_CLOEXEC = 1;
    public const uint FAN_NONBLOCK = 2;
    public const uint FAN_CLASS_NOTIF = 0;
    public const uint FAN_REPORT_TID = 0x100;
    public const uint FAN_REPORT_DFID_NAME_TARGET = 0x1E00;

    public const uint FAN_MARK_ADD = 1;
    public const uint FAN_MARK_REMOVE = 2;
    public const uint FAN_MARK_FILESYSTEM = 0x100;

    public const ulong FAN_MODIFY = 2;
    public const ulong FAN_ATTRIB = 4;
    public const ulong FAN_CLOSE_WRITE = 8;
    public const ulong FAN_CREATE = 0x100;
    public const ulong FAN_DELETE = 0x200;
    public const ulong FAN_Q_OVERFLOW = 0x4000;
    public const ulong FAN_RENAME = 0x10000000;
    public const ulong FAN_ONDIR = 0x40000000;

    public const byte FANOTIFY_METADATA_VERSION = 3;
    public const byte FAN_EVENT_INFO_TYPE_FID = 1;

    public const int IN_CLOEXEC = 0x80000;
    public const int IN_NONBLOCK = 0x800;
    public const uint IN_MODIFY = 2;
    public const uint IN_ATTRIB = 4;
    public const uint IN_CLOSE_WRITE = 8;
    public const uint IN_MOVED_FROM = 0x40;
    public const uint IN_MOVED_TO = 0x80;
    public const uint IN_CREATE = 0x100;
    public const uint IN_DELETE = 0x200;
    public const uint IN_MOVE_SELF = 0x800;
    public const uint IN_Q_OVERFLOW = 0x4000;
}

/// <summary>Constants of UNIX sockets.</summary>
public static class SocketFlags
{
    public const int AF_UNIX = 1;
    public const int SOCK_STREAM = 1;
    public const int SOCK_DGRAM = 2;
    public const int SOCK_SEQPACKET = 5;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOL_SOCKET = 1;
    public const int SO_TYPE = 3;
    public const int SO_PEERCRED = 17;
    public const int SO_RCVTIMEO = 20;
    public const int SO_ACCEPTCONN = 30;
    public const int SCM_RIGHTS = 1;
    public const int MSG_CTRUNC = 8;
    public const int MSG_TRUNC = 0x20;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_WAITALL = 0x100;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int MSG_CMSG_CLOEXEC = 0x40000000;
    public const int SHUT_RD = 0;
    public const int SHUT_RDWR = 2;
}

/// <summary>Linux capabilities that the daemon asks about, and the numbers of the resource limits it reads.</summary>
public static class ProcessFlags
{
    public const int CAP_CHOWN = 0;
    public const int CAP_DAC_OVERRIDE = 1;
    public const int CAP_DAC_READ_SEARCH = 2;
    public const int CAP_FOWNER = 3;
    public const int CAP_FSETID = 4;
    public const int CAP_SETGID = 6;
    public const int CAP_SETUID = 7;
    public const int CAP_SYS_ADMIN = 21;
    public const int CAP_SYS_RESOURCE = 24;
    public const int CAP_MKNOD = 27;
    public const int CAP_SETFCAP = 31;

    public const int RLIMIT_NOFILE = 7;
    public const int CLONE_FS = 0x200;
    public const int CLONE_NEWNS = 0x20000;
    public const int CLONE_NEWUSER = 0x10000000;

    public const ulong MS_RDONLY = 1;
    public const ulong MS_NOSUID = 2;
    public const ulong MS_NODEV = 4;
    public const int MNT_FORCE = 1;
    public const int MNT_DETACH = 2;
    public const int UMOUNT_NOFOLLOW = 8;
}
