namespace Coherency.Core.VhostUser;

/// <summary>Requests of the front end (vhost-user.rst, "Front-end message types").</summary>
public enum VhostUserRequest : uint
{
    GetFeatures = 1,
    SetFeatures = 2,
    SetOwner = 3,
    ResetOwner = 4,
    SetMemTable = 5,
    SetLogBase = 6,
    SetLogFd = 7,
    SetVringNum = 8,
    SetVringAddr = 9,
    SetVringBase = 10,
    GetVringBase = 11,
    SetVringKick = 12,
    SetVringCall = 13,
    SetVringErr = 14,
    GetProtocolFeatures = 15,
    SetProtocolFeatures = 16,
    GetQueueNum = 17,
    SetVringEnable = 18,
    SetBackendReqFd = 21,
    GetConfig = 24,
    SetConfig = 25,
    ResetDevice = 34,
    GetMaxMemSlots = 36,
    AddMemReg = 37,
    RemMemReg = 38,
    SetStatus = 39,
    GetStatus = 40,
    GetShmemConfig = 44,
}

/// <summary>Requests of the back end, sent on the channel of SET_BACKEND_REQ_FD ("Back-end message types").</summary>
public enum VhostUserBackendRequest : uint
{
    ConfigChange = 2,
    ShmemMap = 9,
    ShmemUnmap = 10,
}

/// <summary>Protocol features, negotiated beside the VIRTIO ones ("Protocol features").</summary>
[Flags]
public enum VhostUserProtocolFeatures : ulong
{
    None = 0,
    MultiQueue = 1UL << 0,
    LogShmFd = 1UL << 1,
    ReplyAck = 1UL << 3,
    BackendReq = 1UL << 5,
    Config = 1UL << 9,
    BackendSendFd = 1UL << 10,
    InflightShmFd = 1UL << 12,
    ResetDevice = 1UL << 13,
    ConfigureMemSlots = 1UL << 15,
    Status = 1UL << 16,
    Shmem = 1UL << 22,
}

/// <summary>Flags of a message header; the two lowest bits are the version, always 1.</summary>
public static class VhostUserHeaderFlags
{
    public const uint VersionMask = 3;
    public const uint Version = 1;
    public const uint Reply = 1 << 2;
    public const uint NeedReply = 1 << 3;
}

/// <summary>The word of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.</summary>
public static class VringFdWord
{
    public const ulong IndexMask = 0xFF;

    /// <summary>Set when no file descriptor is attached.</summary>
    public const ulong NoFd = 0x100;
}
