using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Configuration;

/// <summary>The file of <c>serve --config</c>.</summary>
public sealed record ServeConfiguration
{
    public required IReadOnlyList<ShareConfiguration> Shares { get; init; }
}

/// <summary>One shared directory and its guests. Property names are those of the command line's options.</summary>
public sealed record ShareConfiguration
{
    public required string SharedDir { get; init; }

    public IReadOnlyList<GuestConfiguration> Guests { get; init; } = [];

    /// <summary>What guests mount, at most 36 bytes; the directory's name when not given.</summary>
    public string? Tag { get; init; }

    public CacheMode Cache { get; init; } = CacheMode.Auto;

    /// <summary>Timeouts of the cache mode, replaced; seconds.</summary>
    public double? EntryTimeout { get; init; }

    public double? AttrTimeout { get; init; }

    public double? NegativeTimeout { get; init; }

    public bool Writeback { get; init; }

    public bool Readonly { get; init; }

    public InodeFileHandles InodeFileHandles { get; init; } = InodeFileHandles.Prefer;

    public bool Xattr { get; init; } = true;

    public bool PosixAcl { get; init; }

    public bool KillprivV2 { get; init; } = true;

    public bool Readdirplus { get; init; } = true;

    public bool AnnounceSubmounts { get; init; } = true;

    public bool AllowDirectIo { get; init; }

    public bool AllowMmap { get; init; }

    /// <summary>Request queues offered to each guest.</summary>
    public int NumRequestQueues { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>Helper threads of each queue.</summary>
    public int ThreadPoolSize { get; init; } = 1;

    /// <summary>Longest look for the next request before sleeping, in microseconds.</summary>
    public int PollUs { get; init; } = Defaults.PollMicroseconds;

    internal PassthroughOptions ToPassthroughOptions() => new()
    {
        SharedDirectory = SharedDir,
        InodeFileHandles = InodeFileHandles,
        Writeback = Writeback,
        AllowDirectIo = AllowDirectIo,
        Xattr = Xattr,
        AnnounceSubmounts = AnnounceSubmounts,
    };

    internal SessionOptions ToSessionOptions(CacheMode? cacheOfGuest = null)
    {
        CachePolicy policy = CachePolicy.For(cacheOfGuest ?? Cache);
        return new SessionOptions
        {
            Cache = policy with
            {
                EntryTimeout = EntryTimeout is { } entry ? TimeSpan.FromSeconds(entry) : policy.EntryTimeout,
                AttributeTimeout = AttrTimeout is { } attributes ? TimeSpan.FromSeconds(attributes) : policy.AttributeTimeout,
                NegativeTimeout = NegativeTimeout is { } negative ? TimeSpan.FromSeconds(negative) : policy.NegativeTimeout,
            },
            Writeback = Writeback,
            ReadDirPlus = Readdirplus,
            AnnounceSubmounts = AnnounceSubmounts,
            PosixAcl = PosixAcl,
            KillPrivV2 = KillprivV2,
            AllowMmap = AllowMmap,
        };
    }
}

/// <summary>One guest of a share; what is not given is the share's.</summary>
public sealed record GuestConfiguration
{
    public required string Name { get; init; }

    public required string Socket { get; init; }

    public string? Tag { get; init; }

    public CacheMode? Cache { get; init; }

    public bool? Readonly { get; init; }

    public int? NumRequestQueues { get; init; }

    public int? ThreadPoolSize { get; init; }

    public int? PollUs { get; init; }
}
