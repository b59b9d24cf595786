using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Server;

public sealed partial class FuseSession
{
    private const uint ProtocolMajor = 7;
    private const uint ProtocolMinorMax = 45;

    /// <summary>Older clients lack FUSE_SUBMOUNTS-era structs; Linux 5.4, the first with virtio-fs, has it.</summary>
    private const uint ProtocolMinorMin = 31;

    /// <summary>Background requests (read-ahead, asynchronous I/O) that a client may have in flight.</summary>
    private const ushort BackgroundRequestsMax = 128;

    private Errno Init(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (!TryReadInit(ref reader, out fuse_init_in offer))
        {
            return Errno.EINVAL;
        }

        if (offer.major > ProtocolMajor)
        {
            // The client repeats INIT with the major version that it gets here.
            request.Reply(new fuse_init_out { major = ProtocolMajor, minor = ProtocolMinorMax });
            return Errno.None;
        }

        if (offer.major < ProtocolMajor || offer.minor < ProtocolMinorMin)
        {
            if (_initLog.Allows(out long unsaidTooOld))
            {
                LogTooOld(_log, offer.major, offer.minor, ProtocolMinorMin, unsaidTooOld);
            }

            return Errno.EPROTO;
        }

        FuseInitFlags offered = (FuseInitFlags)offer.flags;
        if (offered.HasFlag(FuseInitFlags.InitExt))
        {
            offered |= (FuseInitFlags)((ulong)offer.flags2 << 32);
        }

        FuseInitFlags missing = Required() & ~offered;
        if (missing != FuseInitFlags.None)
        {
            if (_initLog.Allows(out long unsaidMissing))
            {
                LogMissing(
                    _log,
                    missing.HasFlag(FuseInitFlags.PosixAcl) ? "enforce POSIX ACLs" : "say which security labels new files have",
                    missing.HasFlag(FuseInitFlags.PosixAcl) ? "--posix-acl=always" : "--security-label=always",
                    unsaidMissing);
            }

            return Errno.EPROTO;
        }

        if (RefusesDax(offered))
        {
            return Errno.EOPNOTSUPP;
        }

        Start(offered, offer.minor);
        if (_initLog.Allows(out long unsaid))
        {
            LogInit(_log, ProtocolMinor, _granted, unsaid);
        }

        request.Reply(BuildInitReply(offer.max_readahead));
        return Errno.None;
    }

    /// <summary>Before protocol 7.36 the struct ended with <c>flags</c>.</summary>
    private static bool TryReadInit(ref FuseRequestReader reader, out fuse_init_in offer)
    {
        const int ShortBytes = 16;
        if (reader.TryRead(out offer))
        {
            return true;
        }

        if (!reader.TryReadBytes(ShortBytes, out ReadOnlySpan<byte> bytes))
        {
            return false;
        }

        // SAFETY: the four words that ShortBytes are, in a copy that the client cannot change.
        ReadOnlySpan<uint> words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(bytes);
        offer = new fuse_init_in { major = words[0], minor = words[1], max_readahead = words[2], flags = words[3] };
        return true;
    }

    private void Start(FuseInitFlags offered, uint minor)
    {
        _offered = offered;
        _granted = offered & (Supported() | When(CanUseWindow(offered), DaxFlags));
        _cache = minor < _options.EpochProtocolMinor ? _options.CacheOfOlderProtocols! : _options.Cache;
        Replace(_openFileSystem, Math.Min(minor, ProtocolMinorMax));
    }

    /// <summary>What clients have to offer to be served.</summary>
    private FuseInitFlags Required() =>
        When(_options.PosixAclRequired, FuseInitFlags.PosixAcl) | When(_options.SecurityLabelRequired, FuseInitFlags.SecurityCtx);

    private FuseInitFlags Supported()
    {
        FuseInitFlags flags = FuseInitFlags.AsyncRead | FuseInitFlags.AtomicOTrunc | FuseInitFlags.BigWrites
            | FuseInitFlags.DontMask | FuseInitFlags.AutoInvalData | FuseInitFlags.AsyncDio | FuseInitFlags.ParallelDirops
            | FuseInitFlags.MaxPages | FuseInitFlags.SetxattrExt | FuseInitFlags.InitExt | FuseInitFlags.CreateSuppGroup
            | FuseInitFlags.ExportSupport;
        flags |= When(_options.PosixLocks, FuseInitFlags.PosixLocks) | When(_options.Flock, FuseInitFlags.FlockLocks);
        flags |= When(_options.ReadDirPlus, FuseInitFlags.DoReaddirplus);
        flags |= When(_options.ReadDirPlus && _options.Cache.Mode != CacheMode.Never, FuseInitFlags.ReaddirplusAuto);
        flags |= When(_options.Writeback, FuseInitFlags.WritebackCache);
        flags |= When(_options.KillPrivV2, FuseInitFlags.HandleKillprivV2);
        flags |= When(_options.PosixAcl, FuseInitFlags.PosixAcl) | When(_options.SecurityLabel, FuseInitFlags.SecurityCtx);
        flags |= When(_options.Cache.CachesSymlinks || _view is not null, FuseInitFlags.CacheSymlinks);
        flags |= When(_options.AnnounceSubmounts, FuseInitFlags.Submounts);
        flags |= When(_options.AllowIdmap, FuseInitFlags.AllowIdmap);
        flags |= When(_options.AllowMmap, FuseInitFlags.DirectIoAllowMmap);
        return flags;
    }

    private static FuseInitFlags When(bool condition, FuseInitFlags flags) => condition ? flags : FuseInitFlags.None;

    private fuse_init_out BuildInitReply(uint maxReadahead) => new()
    {
        major = ProtocolMajor,
        minor = ProtocolMinor,
        max_readahead = maxReadahead,
        flags = (uint)_granted,
        flags2 = (uint)((ulong)_granted >> 32),
        max_background = BackgroundRequestsMax,
        congestion_threshold = BackgroundRequestsMax * 3 / 4,
        max_write = FuseLimits.PayloadBytesMax,
        max_pages = FuseLimits.PayloadPagesMax,
        time_gran = 1,
        map_alignment = MapAlignment,
    };

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Client speaks FUSE 7.{Minor}; granted {Flags} ({Unsaid} more lines of this kind were left out)")]
    private static partial void LogInit(ILogger log, uint minor, FuseInitFlags flags, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The client does not {What}, which was made a condition ({Option}) ({Unsaid} more lines of this kind were left out)")]
    private static partial void LogMissing(ILogger log, string what, string option, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Client speaks FUSE {Major}.{Minor}; 7.{Least} is the oldest served. Use a guest kernel of 5.4 or later ({Unsaid} " +
            "more lines of this kind were left out)")]
    private static partial void LogTooOld(ILogger log, uint major, uint minor, uint least, long unsaid);
}
