using Coherency.Core.Fuse;

namespace Coherency.Guest.Fuse;

/// <summary>What the FUSE client asks for; the defaults are those of Linux.</summary>
public sealed record FuseConnectionOptions
{
    /// <summary>Requests in flight per queue, at most.</summary>
    public int SlotsPerQueue { get; init; } = 64;

    /// <summary>Data that one request can move, in bytes.</summary>
    public int DataBytesMax { get; init; } = 1 << 20;

    /// <summary>The protocol's minor version that INIT offers.</summary>
    public uint MinorVersion { get; init; } = 45;

    /// <summary>Flags that INIT offers.</summary>
    public FuseInitFlags Flags { get; init; } =
        FuseInitFlags.AsyncRead | FuseInitFlags.PosixLocks | FuseInitFlags.AtomicOTrunc | FuseInitFlags.ExportSupport
        | FuseInitFlags.BigWrites | FuseInitFlags.DontMask | FuseInitFlags.FlockLocks | FuseInitFlags.AutoInvalData
        | FuseInitFlags.DoReaddirplus | FuseInitFlags.ReaddirplusAuto | FuseInitFlags.AsyncDio | FuseInitFlags.WritebackCache
        | FuseInitFlags.ParallelDirops | FuseInitFlags.HandleKillpriv | FuseInitFlags.AbortError | FuseInitFlags.MaxPages
        | FuseInitFlags.CacheSymlinks | FuseInitFlags.ExplicitInvalData | FuseInitFlags.HandleKillprivV2
        | FuseInitFlags.NoOpenSupport | FuseInitFlags.NoOpendirSupport | FuseInitFlags.SetxattrExt | FuseInitFlags.InitExt
        | FuseInitFlags.CreateSuppGroup;

    /// <summary>How requests wait for their reply, blocking locks excepted: those wait without end.</summary>
    public WaitPolicy Wait { get; init; } = new(SpinMicroseconds: 50, TimeoutMs: 30_000);
}
