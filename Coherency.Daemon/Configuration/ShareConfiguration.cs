using System.Text.Json.Serialization;
using Coherency.Core.Versioning;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Coherency.Host.Translation;

namespace Coherency.Daemon.Configuration;

/// <summary>The file of <c>serve --config</c>.</summary>
public sealed record ServeConfiguration
{
    /// <summary>For editors; nothing is made of it.</summary>
    [JsonPropertyName("$schema")]
    public string? Schema { get; set; }

    public IReadOnlyList<ShareConfiguration> Shares { get; set; } = [];

    /// <summary>The name under which the daemon is found on its host; that of <see cref="Attach"/>, or "default", when not given.</summary>
    public string? Instance { get; set; }

    public AdminConfiguration Admin { get; set; } = new();

    /// <summary>PORT, or ADDRESS:PORT of the loopback, where a page is served; none when not given.</summary>
    public string? Dashboard { get; set; }

    /// <summary>The name under which keepers find this daemon and have guests served; none do when not given.</summary>
    public string? Attach { get; set; }

    /// <summary>Guests of keepers whose version tables are there before they come, and stay when they go.</summary>
    public IReadOnlyList<ExpectedGuest> Expect { get; set; } = [];

    /// <summary>PORT of the loopback, or ADDRESS:PORT, where a Prometheus scrapes without a certificate; none when not given.</summary>
    public string? Metrics { get; set; }

    /// <summary>Where it was read from; null when the command line said everything.</summary>
    internal ConfigurationSource? Source { get; init; }
}

/// <summary>A file or directory of configuration, and what it said, before the command line.</summary>
/// <param name="IsStandard">Nobody named it: it need not be there.</param>
internal sealed record ConfigurationSource(string Path, ServeConfiguration AsRead, bool IsStandard);

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

    /// <summary>New files get the security label that the guest's kernel says (SELinux, Smack).</summary>
    public bool SecurityLabel { get; set; }

    /// <summary>Guests may make idmapped mounts, and say no more who changes what is there.</summary>
    public bool AllowIdmap { get; set; }

    /// <summary>O_NOATIME is passed on to the host.</summary>
    public bool PreserveNoatime { get; set; } = true;

    /// <summary>Only a keeper asks for these.</summary>
    internal bool PosixAclRequired { get; init; }

    internal bool SecurityLabelRequired { get; init; }

    internal bool PosixLocks { get; init; } = true;

    internal bool Flock { get; init; } = true;

    internal bool HidesAcls { get; init; }

    /// <summary>Rules by which ids of guests' users become the host's, as <c>map:0:1000:1</c>; others are the same.</summary>
    public IReadOnlyList<string> TranslateUid { get; set; } = [];

    /// <summary>The same of groups.</summary>
    public IReadOnlyList<string> TranslateGid { get; set; } = [];

    /// <summary>
    /// Rules by which extended attributes are named on the host, as <c>:map::user.virtiofs.:</c>; as in guests when not given.
    /// </summary>
    public string? Xattrmap { get; set; }

    public bool KillprivV2 { get; set; } = true;

    public bool Readdirplus { get; set; } = true;

    public bool AnnounceSubmounts { get; set; } = true;

    public bool AllowDirectIo { get; set; }

    public bool AllowMmap { get; set; }

    /// <summary>Guests ask for each open, even those that could do without.</summary>
    public bool AskOpens { get; set; }

    /// <summary>Guests that want to hear of it are told what others change.</summary>
    public bool Events { get; set; } = true;

    /// <summary>
    /// The file with the key of guests' file handles, made if it is not there; handles end with the daemon when not given.
    /// </summary>
    public string? HandleKey { get; set; }

    /// <summary>Request queues offered to each guest.</summary>
    public int NumRequestQueues { get; set; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>Threads of each queue beside its first, for requests that would hold it up.</summary>
    public int ThreadPoolSize { get; set; } = Defaults.ThreadPoolSize;

    /// <summary>Longest look for the next request before sleeping, in microseconds.</summary>
    public int PollUs { get; set; } = Defaults.PollMicroseconds;

    /// <summary>Slots of each guest's version table, a power of two.</summary>
    public int TableSlots { get; set; } = VersionTableLayout.DefaultSlotCount;

    /// <summary>Where the guests' version tables are, as NAME.table; beside their sockets when not given.</summary>
    public string? TableDir { get; set; }

    /// <summary>
    /// MiB of the DAX window that QEMU is asked for beside a table, less the table's; 0 for none, or with <see cref="Dax"/> the default.
    /// </summary>
    public int DaxWindowMib { get; set; }

    /// <summary>
    /// The size, as <c>4M</c>, from which on the one guest sees files in the window instead of its own page cache; none when not given.
    /// </summary>
    public string? Dax { get; set; }

    /// <summary>Directories of the host where the share is mounted too, coherent with the guests.</summary>
    public IReadOnlyList<string> Mounts { get; set; } = [];

    /// <exception cref="Commands.UsageException">The key of file handles cannot be used.</exception>
    internal PassthroughOptions ToPassthroughOptions() => new()
    {
        Budget = DescriptorBudget.Process.CreatePart(),
        SharedDirectory = SharedDir,
        InodeFileHandles = InodeFileHandles,
        Writeback = Writeback,
        AllowDirectIo = AllowDirectIo,
        Xattr = Xattr,
        AnnounceSubmounts = AnnounceSubmounts,
        HandleKey = HandleKey is { } file ? HandleKeyFile.ReadOrMake(file) : null,
    };

    /// <exception cref="Commands.UsageException">A rule makes no sense.</exception>
    internal ClientTranslation ToTranslation() => new()
    {
        Uids = TranslationRules.ReadIds("translate-uid", TranslateUid, PosixAcl),
        Gids = TranslationRules.ReadIds("translate-gid", TranslateGid, PosixAcl),
        Xattrs = TranslationRules.ReadNames("xattrmap", Xattrmap),
        HidesAcls = HidesAcls,
        KillsPrivileges = KillprivV2,
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
                EntryAttributeTimeout = AttrTimeout is { } entryAttributes
                    ? TimeSpan.FromSeconds(entryAttributes)
                    : policy.EntryAttributeTimeout,
                NegativeTimeout = NegativeTimeout is { } negative ? TimeSpan.FromSeconds(negative) : policy.NegativeTimeout,
            },
            Writeback = Writeback,
            ReadDirPlus = Readdirplus,
            AnnounceSubmounts = AnnounceSubmounts,
            PosixAcl = PosixAcl,
            PosixAclRequired = PosixAclRequired,
            SecurityLabel = SecurityLabel,
            SecurityLabelRequired = SecurityLabelRequired,
            PreserveNoatime = PreserveNoatime,
            AllowIdmap = AllowIdmap,
            PosixLocks = PosixLocks,
            Flock = Flock,
            KillPrivV2 = KillprivV2,
            AllowMmap = AllowMmap,
            AskOpens = AskOpens,
            Events = Events,
        };
    }
}

/// <summary>A guest that a keeper is going to bring.</summary>
public sealed record ExpectedGuest
{
    /// <summary>What its keeper calls it, as <c>web-fs0</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it mounts, of which keepers are told nothing, and by which it finds its version table.</summary>
    public required string Tag { get; init; }
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
