namespace Coherency.Core.Fuse;

/// <summary>Operations of the FUSE protocol (<c>enum fuse_opcode</c>, linux/fuse.h 7.45).</summary>
public enum FuseOpcode : uint
{
    Lookup = 1,
    Forget = 2,
    GetAttr = 3,
    SetAttr = 4,
    ReadLink = 5,
    Symlink = 6,
    MkNod = 8,
    MkDir = 9,
    Unlink = 10,
    RmDir = 11,
    Rename = 12,
    Link = 13,
    Open = 14,
    Read = 15,
    Write = 16,
    StatFs = 17,
    Release = 18,
    Fsync = 20,
    SetXattr = 21,
    GetXattr = 22,
    ListXattr = 23,
    RemoveXattr = 24,
    Flush = 25,
    Init = 26,
    OpenDir = 27,
    ReadDir = 28,
    ReleaseDir = 29,
    FsyncDir = 30,
    GetLk = 31,
    SetLk = 32,
    SetLkw = 33,
    Access = 34,
    Create = 35,
    Interrupt = 36,
    BMap = 37,
    Destroy = 38,
    Ioctl = 39,
    Poll = 40,
    NotifyReply = 41,
    BatchForget = 42,
    Fallocate = 43,
    ReadDirPlus = 44,
    Rename2 = 45,
    LSeek = 46,
    CopyFileRange = 47,
    SetupMapping = 48,
    RemoveMapping = 49,
    SyncFs = 50,
    TmpFile = 51,
    Statx = 52,
    CopyFileRange64 = 53,
}

/// <summary>Opcodes come from the wire, so they are parsed, never cast.</summary>
public static class FuseOpcodes
{
    /// <summary>One more than the highest opcode.</summary>
    public const int Count = (int)FuseOpcode.CopyFileRange64 + 1;

    /// <summary>False for a number that the protocol does not define, the holes 0, 7 and 19 included.</summary>
    public static bool TryParse(uint value, out FuseOpcode opcode)
    {
        opcode = (FuseOpcode)value;
        return value is > 0 and < Count and not 7 and not 19;
    }
}
