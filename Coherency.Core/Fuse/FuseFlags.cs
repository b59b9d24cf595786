namespace Coherency.Core.Fuse;

// Flag sets of linux/fuse.h, protocol 7.45.

/// <summary>FUSE_INIT flags: bits 0 to 31 travel in <c>flags</c>, 32 to 63 in <c>flags2</c>.</summary>
[Flags]
public enum FuseInitFlags : ulong
{
    None = 0,
    AsyncRead = 1UL << 0,
    PosixLocks = 1UL << 1,
    FileOps = 1UL << 2,
    AtomicOTrunc = 1UL << 3,
    ExportSupport = 1UL << 4,
    BigWrites = 1UL << 5,
    DontMask = 1UL << 6,
    SpliceWrite = 1UL << 7,
    SpliceMove = 1UL << 8,
    SpliceRead = 1UL << 9,
    FlockLocks = 1UL << 10,
    HasIoctlDir = 1UL << 11,
    AutoInvalData = 1UL << 12,
    DoReaddirplus = 1UL << 13,
    ReaddirplusAuto = 1UL << 14,
    AsyncDio = 1UL << 15,
    WritebackCache = 1UL << 16,
    NoOpenSupport = 1UL << 17,
    ParallelDirops = 1UL << 18,
    HandleKillpriv = 1UL << 19,
    PosixAcl = 1UL << 20,
    AbortError = 1UL << 21,
    MaxPages = 1UL << 22,
    CacheSymlinks = 1UL << 23,
    NoOpendirSupport = 1UL << 24,
    ExplicitInvalData = 1UL << 25,
    MapAlignment = 1UL << 26,
    Submounts = 1UL << 27,
    HandleKillprivV2 = 1UL << 28,
    SetxattrExt = 1UL << 29,
    InitExt = 1UL << 30,
    SecurityCtx = 1UL << 32,
    HasInodeDax = 1UL << 33,
    CreateSuppGroup = 1UL << 34,
    HasExpireOnly = 1UL << 35,
    DirectIoAllowMmap = 1UL << 36,
    Passthrough = 1UL << 37,
    NoExportSupport = 1UL << 38,
    HasResend = 1UL << 39,
    AllowIdmap = 1UL << 40,
    OverIoUring = 1UL << 41,
    RequestTimeout = 1UL << 42,
}

/// <summary>FOPEN_* flags of an open reply.</summary>
[Flags]
public enum FuseOpenReplyFlags : uint
{
    None = 0,
    DirectIo = 1 << 0,
    KeepCache = 1 << 1,
    Nonseekable = 1 << 2,
    CacheDir = 1 << 3,
    Stream = 1 << 4,
    Noflush = 1 << 5,
    ParallelDirectWrites = 1 << 6,
    Passthrough = 1 << 7,
}

/// <summary>FATTR_* bits: which fields of a FUSE_SETATTR request count.</summary>
[Flags]
public enum FuseSetAttrValid : uint
{
    None = 0,
    Mode = 1 << 0,
    Uid = 1 << 1,
    Gid = 1 << 2,
    Size = 1 << 3,
    Atime = 1 << 4,
    Mtime = 1 << 5,
    Fh = 1 << 6,
    AtimeNow = 1 << 7,
    MtimeNow = 1 << 8,
    LockOwner = 1 << 9,
    Ctime = 1 << 10,
    KillSuidgid = 1 << 11,
}

/// <summary>Flags of FUSE_RELEASE.</summary>
[Flags]
public enum FuseReleaseFlags : uint
{
    None = 0,
    Flush = 1 << 0,
    FlockUnlock = 1 << 1,
}

/// <summary>Flags of FUSE_GETATTR and FUSE_STATX.</summary>
[Flags]
public enum FuseGetAttrFlags : uint
{
    None = 0,
    Fh = 1 << 0,
}

/// <summary>Flags of the lock requests.</summary>
[Flags]
public enum FuseLockFlags : uint
{
    None = 0,
    Flock = 1 << 0,
}

/// <summary>Flags of FUSE_WRITE.</summary>
[Flags]
public enum FuseWriteFlags : uint
{
    None = 0,
    Cache = 1 << 0,
    LockOwner = 1 << 1,
    KillSuidgid = 1 << 2,
}

/// <summary>Flags of FUSE_FSYNC.</summary>
[Flags]
public enum FuseFsyncFlags : uint
{
    None = 0,
    Fdatasync = 1 << 0,
}

/// <summary>Flags of <c>fuse_attr</c>.</summary>
[Flags]
public enum FuseAttrFlags : uint
{
    None = 0,
    Submount = 1 << 0,
    Dax = 1 << 1,
}

/// <summary>Flags in <c>open_flags</c> of FUSE_OPEN and FUSE_CREATE requests.</summary>
[Flags]
public enum FuseOpenInFlags : uint
{
    None = 0,
    KillSuidgid = 1 << 0,
}

/// <summary>Flags of FUSE_SETUPMAPPING.</summary>
[Flags]
public enum FuseSetupMappingFlags : ulong
{
    None = 0,
    Write = 1UL << 0,
    Read = 1UL << 1,
}

/// <summary>Flags in <c>setxattr_flags</c>.</summary>
[Flags]
public enum FuseSetXattrFlags : uint
{
    None = 0,
    AclKillSgid = 1 << 0,
}

/// <summary>Codes of unsolicited messages from the server (<c>enum fuse_notify_code</c>).</summary>
public enum FuseNotifyCode
{
    Poll = 1,
    InvalInode = 2,
    InvalEntry = 3,
    Store = 4,
    Retrieve = 5,
    Delete = 6,
    Resend = 7,
    IncEpoch = 8,
    Prune = 9,
}

/// <summary>Types of request extensions (<c>enum fuse_ext_type</c>); 0 to 31 count security contexts.</summary>
public enum FuseExtensionType : uint
{
    MaxSecurityContexts = 31,
    Groups = 32,
}
