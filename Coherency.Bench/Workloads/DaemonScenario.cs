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
/// <param name="Program">Works in a share that was laid out by <see cref="BenchTree"/>.</param>
/// <param name="Permitted">The error that is a right answer to a LOOKUP or a GETXATTR.</param>
internal sealed record DaemonScenario(
    string Name, string Title, ScenarioKinds Kinds, OperationProgram Program, Errno Permitted = Errno.None)
{
    private const ScenarioKinds QuickMetadata = ScenarioKinds.Metadata | ScenarioKinds.Quick;

    /// <summary>All of them, in the order of the tables. FORGET, which nobody waits for, is sent but not counted.</summary>
    public static readonly IReadOnlyList<DaemonScenario> All =
    [
        new("getattr", "GETATTR", QuickMetadata | ScenarioKinds.Parallel, Operations.GetAttr),
        new("lookup", "LOOKUP", QuickMetadata | ScenarioKinds.Parallel, Operations.Lookup),
        new("lookup-absent", "LOOKUP of an absent name", QuickMetadata, Operations.LookupAbsent, Errno.ENOENT),
        new("lookup-cold", "LOOKUP of a forgotten inode", QuickMetadata, Operations.LookupCold),
        new("readlink", "READLINK", ScenarioKinds.Metadata, Operations.ReadLink),
        new("setattr", "SETATTR of the mode", ScenarioKinds.Metadata, Operations.SetAttr),
        new("getxattr", "GETXATTR of security.capability", ScenarioKinds.Metadata, Operations.GetXattr, Errno.ENODATA),
        new("statfs", "STATFS", ScenarioKinds.Metadata, Operations.StatFs),
        new("open", "OPEN + RELEASE", ScenarioKinds.Metadata, (context, lane) => Operations.Open(context, lane, reads: false)),
        new(
            "open-read",
            "OPEN + READ 4 KiB + RELEASE",
            QuickMetadata | ScenarioKinds.Data,
            (context, lane) => Operations.Open(context, lane, reads: true)),
        new("create-unlink", "CREATE + UNLINK + RELEASE", QuickMetadata | ScenarioKinds.Parallel, Operations.CreateUnlink),
        new("mkdir-rmdir", "MKDIR + RMDIR", ScenarioKinds.Metadata, Operations.MkDirRmDir),
        new("rename", "RENAME", ScenarioKinds.Metadata, Operations.Rename),
        new("link-unlink", "LINK + UNLINK", ScenarioKinds.Metadata, Operations.LinkUnlink),
        new(
            "readdir",
            "READDIR of 1,000 entries",
            ScenarioKinds.Metadata,
            (context, lane) => Operations.ReadDir(context, lane, FuseOpcode.ReadDir)),
        new(
            "readdirplus",
            "READDIRPLUS of 1,000 entries",
            QuickMetadata | ScenarioKinds.Parallel,
            (context, lane) => Operations.ReadDir(context, lane, FuseOpcode.ReadDirPlus)),
        new("stat-storm", "stat by path, nothing cached", ScenarioKinds.Metadata | ScenarioKinds.Parallel, Operations.StatStorm),
        new("git-walk", "a directory of git status", QuickMetadata, Operations.GitWalk, Errno.ENOENT),
        new("build", "a compiler's headers and object", QuickMetadata | ScenarioKinds.Parallel, Operations.Build, Errno.ENOENT),
        new("replace-storm", "write, rename over, unlink", QuickMetadata, Operations.ReplaceStorm),
        new("mail", "deliver a message, read it, remove it", QuickMetadata | ScenarioKinds.Data, Operations.Mail),
        new(
            "read-4k",
            "READ 4 KiB, scattered",
            ScenarioKinds.Data,
            (context, lane) => Operations.Read(context, lane, StreamOrder.Scattered)),
        new(
            "write-4k",
            "WRITE 4 KiB, scattered",
            ScenarioKinds.Data,
            (context, lane) => Operations.Write(context, lane, StreamOrder.Scattered)),
        new(
            "seq-read",
            "READ 1 MiB, sequential",
            ScenarioKinds.Data | ScenarioKinds.Quick,
            (context, lane) => Operations.Read(context, lane, StreamOrder.Sequential)),
        new(
            "seq-write",
            "WRITE 1 MiB, sequential",
            ScenarioKinds.Data | ScenarioKinds.Quick,
            (context, lane) => Operations.Write(context, lane, StreamOrder.Sequential)),
        new("fsync", "FSYNC of a clean file", ScenarioKinds.Data, Operations.Fsync),
    ];

    public static readonly string Names = string.Join(", ", All.Select(scenario => scenario.Name));

    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static DaemonScenario Find(string name) =>
        All.FirstOrDefault(scenario => scenario.Name == name) ?? throw new ArgumentException(
            $"--rows: there is no {name}; there are {Names}");
}
