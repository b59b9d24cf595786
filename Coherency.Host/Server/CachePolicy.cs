using Coherency.Core.Fuse;

namespace Coherency.Host.Server;

/// <summary>What clients may keep, with virtiofsd's meaning of each name.</summary>
public enum CacheMode
{
    /// <summary>Nothing is cached; files are read past the client's page cache.</summary>
    Never,

    /// <summary>Names and attributes for a second; data until the file is opened again and found changed.</summary>
    Auto,

    /// <summary>Names, attributes, links and directories for a day; no data.</summary>
    Metadata,

    /// <summary>Everything for a day. Right only if nobody else changes the share.</summary>
    Always,

    /// <summary>Everything for ever, by clients that consult the version table; <see cref="Auto"/> for those that do not.</summary>
    Coherent,
}

/// <summary>What one session tells its client about caching. Timeouts of zero forbid it.</summary>
public sealed record CachePolicy
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>Longer than any mount lives; a client's kernel adds it to its clock, which the largest numbers would overflow.</summary>
    private static readonly TimeSpan Unlimited = TimeSpan.FromDays(36_500);

    public required CacheMode Mode { get; init; }

    /// <summary>How long a name may be believed.</summary>
    public required TimeSpan EntryTimeout { get; init; }

    /// <summary>How long attributes may be believed.</summary>
    public required TimeSpan AttributeTimeout { get; init; }

    /// <summary>How long the absence of a name may be believed.</summary>
    public required TimeSpan NegativeTimeout { get; init; }

    public FuseOpenReplyFlags FileFlags => Mode switch
    {
        CacheMode.Never or CacheMode.Metadata => FuseOpenReplyFlags.DirectIo,
        CacheMode.Always or CacheMode.Coherent => FuseOpenReplyFlags.KeepCache,
        _ => FuseOpenReplyFlags.None,
    };

    public FuseOpenReplyFlags DirectoryFlags => Mode switch
    {
        CacheMode.Metadata or CacheMode.Always or CacheMode.Coherent => FuseOpenReplyFlags.CacheDir | FuseOpenReplyFlags.KeepCache,
        _ => FuseOpenReplyFlags.None,
    };

    public bool CachesSymlinks => Mode is CacheMode.Metadata or CacheMode.Always or CacheMode.Coherent;

    /// <summary>The same, for what must be asked for each time.</summary>
    public CachePolicy WithoutTimeouts() => For(Mode is CacheMode.Never or CacheMode.Metadata ? CacheMode.Never : CacheMode.Auto) with
    {
        EntryTimeout = TimeSpan.Zero,
        AttributeTimeout = TimeSpan.Zero,
        NegativeTimeout = TimeSpan.Zero,
    };

    /// <summary>The policy that a mode's name stands for.</summary>
    public static CachePolicy For(CacheMode mode)
    {
        TimeSpan timeout = mode switch
        {
            CacheMode.Never => TimeSpan.Zero,
            CacheMode.Auto => TimeSpan.FromSeconds(1),
            CacheMode.Coherent => Unlimited,
            _ => Day,
        };
        return new CachePolicy { Mode = mode, EntryTimeout = timeout, AttributeTimeout = timeout, NegativeTimeout = timeout };
    }
}
