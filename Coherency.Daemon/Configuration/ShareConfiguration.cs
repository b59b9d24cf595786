using Coherency.Core.Versioning;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Configuration;

/// <summary>The file of <c>serve --config</c>.</summary>
public sealed record ServeConfiguration
{
    public required IReadOnlyList<ShareConfiguration> Shares { get; init; }

    public AdminConfiguration Admin { get; set; } = new();

    /// <summary>PORT, or ADDRESS:PORT of the loopback, where a page is served; none when not given.</summary>
    public string? Dashboard { get; set; }
}

/// <summary>One shared directory and its guests. Property names are those of the command line's options.</summary>
/// <remarks>
/// Properties can be set, not only initialised, because the generated JSON reader would initialise every one and so lose the
/// defaults of those that a file does not name.
/// </remarks>
public sealed record ShareConfiguration
{
    public required string SharedDir { get; init; }

    public IReadOnlyList<GuestConfiguration> Guests { get; set; } = [];

    /// <summary>What guests mount, at most 36 bytes; the directory's name when not given.</summary>
    public string? Tag { get; set; }

    public CacheMode Cache { get; set; } = CacheMode.Coherent;

    /// <summary>Timeouts of the cache mode, replaced; seconds.</summary>
    public double? EntryTimeout { get; set; }

    public double? AttrTimeout { get; set; }

    public double? NegativeTimeout { get; set; }

    public bool Writeback { get; set; }

    public bool Readonly { get; set; }

    public InodeFileHandles InodeFileHandles { get; set; } = InodeFileHandles.Prefer;

    public bool Xattr { get; set; } = true;

    public bool PosixAcl { get; set; }

    public bool KillprivV2 { get; set; } = true;

    public bool Readdirplus { get; set; } = true;

    public bool AnnounceSubmounts { get; set; } = true;

    public bool AllowDirectIo { get; set; }

    public bool AllowMmap { get; set; }

    /// <summary>Guests ask for each open, even those that could do without.</summary>
    public bool AskOpens { get; set; }

    /// <summary>Request queues offered to each guest.</summary>
    public int NumRequestQueues { get; set; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>Helper threads of each queue.</summary>
    public int ThreadPoolSize { get; set; } = 1;

    /// <summary>Longest look for the next request before sleeping, in microseconds.</summary>
    public int PollUs { get; set; } = Defaults.PollMicroseconds;

    /// <summary>Slots of each guest's version table, a power of two.</summary>
    public int TableSlots { get; set; } = VersionTableLayout.DefaultSlotCount;

    /// <summary>Where the guests' version tables are, as NAME.table; beside their sockets when not given.</summary>
    public string? TableDir { get; set; }

    /// <summary>MiB of the DAX window that QEMU is asked for beside a table, less the table's; 0 for none.</summary>
    public int DaxWindowMib { get; set; }

    /// <summary>Directories of the host where the share is mounted too, coherent with the guests.</summary>
    public IReadOnlyList<string> Mounts { get; set; } = [];

    internal PassthroughOptions ToPassthroughOptions() => new()
    {
        Budget = DescriptorBudget.Process.CreatePart(),
        SharedDirectory = SharedDir,
        InodeFileHandles = InodeFileHandles,
        Writeback = Writeback,
        AllowDirectIo = AllowDirectIo,
        Xattr = Xattr,
        AnnounceSubmounts = AnnounceSubmounts,
    };

    internal SessionOptions ToSessionOptions(CacheMode? cacheOfGuest = null)
    {
        CacheMode mode = cacheOfGuest ?? Cache;
        CachePolicy policy = CachePolicy.For(mode == CacheMode.Coherent ? CacheMode.Auto : mode);
        return new SessionOptions
        {
            Cache = policy with
            {
                EntryTimeout = EntryTimeout is { } entry ? TimeSpan.FromSeconds(entry) : policy.EntryTimeout,
                AttributeTimeout = AttrTimeout is { } attributes ? TimeSpan.FromSeconds(attributes) : policy.AttributeTimeout,
                EntryAttributeTimeout = AttrTimeout is { } entryAttributes ? TimeSpan.FromSeconds(entryAttributes) : policy.EntryAttributeTimeout,
                NegativeTimeout = NegativeTimeout is { } negative ? TimeSpan.FromSeconds(negative) : policy.NegativeTimeout,
            },
            Writeback = Writeback,
            ReadDirPlus = Readdirplus,
            AnnounceSubmounts = AnnounceSubmounts,
            PosixAcl = PosixAcl,
            KillPrivV2 = KillprivV2,
            AllowMmap = AllowMmap,
            AskOpens = AskOpens,
        };
    }
}

/// <summary>One guest of a share; what is not given is the share's.</summary>
public sealed record GuestConfiguration
{
    public required string Name { get; init; }

    public required string Socket { get; init; }

    public string? Tag { get; set; }

    public CacheMode? Cache { get; set; }

    public bool? Readonly { get; set; }

    public int? NumRequestQueues { get; set; }

    public int? ThreadPoolSize { get; set; }

    public int? PollUs { get; set; }
}
