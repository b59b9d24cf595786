using Coherency.Core.Fuse;

namespace Coherency.Bench.Workloads;

/// <summary>Which suites a scenario belongs to.</summary>
[Flags]
internal enum ScenarioKinds
{
    None = 0,

    /// <summary>Names and attributes.</summary>
    Metadata = 1,

    /// <summary>File content.</summary>
    Data = 2,

    /// <summary>In the short run, too.</summary>
    Quick = 4,

    /// <summary>Worth measuring with several queues and guests.</summary>
    Parallel = 8,
}

/// <summary>An operation or a mix of operations that a daemon is measured with.</summary>
/// <param name="Name">Short, for <c>--rows</c>.</param>
/// <param name="Title">For the tables.</param>
/// <param name="Create">Prepares the share; the tree was laid out by <see cref="BenchTree"/>.</param>
internal sealed record DaemonScenario(string Name, string Title, ScenarioKinds Kinds, Func<WorkloadContext, IWorkload> Create)
{
    private const ScenarioKinds QuickMetadata = ScenarioKinds.Metadata | ScenarioKinds.Quick;

    /// <summary>All of them, in the order of the tables. FORGET, which nobody waits for, is sent but not counted.</summary>
    public static readonly IReadOnlyList<DaemonScenario> All =
    [
        new("getattr", "GETATTR", QuickMetadata | ScenarioKinds.Parallel, AttributeWorkloads.GetAttr),
        new("lookup", "LOOKUP", QuickMetadata | ScenarioKinds.Parallel, AttributeWorkloads.Lookup),
        new("lookup-absent", "LOOKUP of an absent name", QuickMetadata, AttributeWorkloads.LookupAbsent),
        new("lookup-cold", "LOOKUP of a forgotten inode", QuickMetadata, context => new ColdLookupWorkload(context)),
        new("readlink", "READLINK", ScenarioKinds.Metadata, AttributeWorkloads.ReadLink),
        new("setattr", "SETATTR of the mode", ScenarioKinds.Metadata, AttributeWorkloads.SetAttr),
        new("getxattr", "GETXATTR of security.capability", ScenarioKinds.Metadata, AttributeWorkloads.GetXattr),
        new("statfs", "STATFS", ScenarioKinds.Metadata, AttributeWorkloads.StatFs),
        new("open", "OPEN + RELEASE", ScenarioKinds.Metadata, context => new OpenWorkload(context, reads: false)),
        new("open-read", "OPEN + READ 4 KiB + RELEASE", QuickMetadata | ScenarioKinds.Data, context => new OpenWorkload(context, reads: true)),
        new("create-unlink", "CREATE + UNLINK + RELEASE", QuickMetadata | ScenarioKinds.Parallel, context => new CreateUnlinkWorkload(context)),
        new("mkdir-rmdir", "MKDIR + RMDIR", ScenarioKinds.Metadata, context => new MkDirRmDirWorkload(context)),
        new("rename", "RENAME", ScenarioKinds.Metadata, context => new RenameWorkload(context)),
        new("link-unlink", "LINK + UNLINK", ScenarioKinds.Metadata, context => new LinkUnlinkWorkload(context)),
        new("readdir", "READDIR of 1,000 entries", ScenarioKinds.Metadata, context => new ReadDirWorkload(context, FuseOpcode.ReadDir)),
        new("readdirplus", "READDIRPLUS of 1,000 entries", QuickMetadata | ScenarioKinds.Parallel, context => new ReadDirWorkload(context, FuseOpcode.ReadDirPlus)),
        new("stat-storm", "stat by path, nothing cached", ScenarioKinds.Metadata | ScenarioKinds.Parallel, context => new StatStormWorkload(context)),
        new("git-walk", "a directory of git status", QuickMetadata, context => new GitWalkWorkload(context)),
        new("build", "a compiler's headers and object", QuickMetadata | ScenarioKinds.Parallel, context => new BuildWorkload(context)),
        new("replace-storm", "write, rename over, unlink", QuickMetadata, context => new ReplaceStormWorkload(context)),
        new("mail", "deliver a message, read it, remove it", QuickMetadata | ScenarioKinds.Data, context => new MailWorkload(context)),
        new("read-4k", "READ 4 KiB, scattered", ScenarioKinds.Data, StreamWorkloads.ReadPages),
        new("write-4k", "WRITE 4 KiB, scattered", ScenarioKinds.Data, StreamWorkloads.WritePages),
        new("seq-read", "READ 1 MiB, sequential", ScenarioKinds.Data | ScenarioKinds.Quick, StreamWorkloads.ReadSequentially),
        new("seq-write", "WRITE 1 MiB, sequential", ScenarioKinds.Data | ScenarioKinds.Quick, StreamWorkloads.WriteSequentially),
        new("fsync", "FSYNC of a clean file", ScenarioKinds.Data, StreamWorkloads.Fsync),
    ];

    public static readonly string Names = string.Join(", ", All.Select(scenario => scenario.Name));

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static DaemonScenario Find(string name) =>
        All.FirstOrDefault(scenario => scenario.Name == name) ?? throw new ArgumentException($"--rows: there is no {name}; there are {Names}");
}
