using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Host.Passthrough;

/// <summary>Whether inodes are kept by file handle, which costs no descriptor, or by an open O_PATH descriptor each.</summary>
public enum InodeFileHandles
{
    /// <summary>Descriptors only: works without privilege, and bounds how many inodes clients may hold.</summary>
    Never,

    /// <summary>Handles where the file system and the privilege allow, descriptors elsewhere.</summary>
    Prefer,

    /// <summary>Handles or nothing: the share does not open, and mounts in it are not entered, without them.</summary>
    Mandatory,
}

/// <summary>How a host directory is served.</summary>
public sealed record PassthroughOptions
{
    public required string SharedDirectory { get; init; }

    public InodeFileHandles InodeFileHandles { get; init; } = InodeFileHandles.Prefer;

    /// <summary>The client has a write-back cache: files opened for writing are opened for reading too, appending is its job.</summary>
    public bool Writeback { get; init; }

    /// <summary>Pass O_DIRECT on to the host; otherwise it is taken off.</summary>
    public bool AllowDirectIo { get; init; }

    /// <summary>Serve extended attributes; without it every such request answers ENOSYS and clients stop asking.</summary>
    public bool Xattr { get; init; } = true;

    /// <summary>Tell clients where another mount begins, so that they keep inode numbers of different file systems apart.</summary>
    public bool AnnounceSubmounts { get; init; } = true;

    /// <summary>What descriptors may be taken from; several shares of a process use the same one.</summary>
    public DescriptorBudget Budget { get; init; } = DescriptorBudget.Process;

    /// <summary>How many inodes clients may hold; several shares of a process use the same one.</summary>
    public InodeBudget InodeBudget { get; init; } = InodeBudget.Process;

    /// <summary>Most O_PATH descriptors kept open only because they may be needed again.</summary>
    public int CachedDescriptorsMax { get; init; } = 4096;

    /// <summary>
    /// Most descriptors kept for reading files that clients do not open; see <see cref="Server.IFileSystem.TryDoWithoutOpens"/>.
    /// </summary>
    public int ReadableDescriptorsMax { get; init; } = 1024;

    /// <summary>Most files and directories that one session may have open; null lets it have a quarter of the budget.</summary>
    public int? OpenFilesPerSessionMax { get; init; }

    /// <summary>Bytes of <see cref="HandleKey"/>.</summary>
    public const int HandleKeyBytes = 32;

    /// <summary>
    /// Seals the file handles that clients keep: they are good for as long as the share is served with this key, which nobody else
    /// may know. Null makes one up.
    /// </summary>
    public byte[]? HandleKey { get; init; }

    /// <summary>Where it is written when something fails that no client asked for.</summary>
    public ILogger Log { get; init; } = NullLogger.Instance;

    /// <summary>Computes inode keys; tests put one here that collides.</summary>
    internal IInodeKeyHash KeyHash { get; init; } = new XxInodeKeyHash();

    /// <summary>By then a client without opens has said of a file whether it has it open; it says so twice a second.</summary>
    internal TimeSpan SayingPeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Called once it is known what a name that is to be removed or replaced stands for; tests change that here.</summary>
    internal Action Identified { get; init; } = static () => { };

    /// <summary>Asks a directory for its rule; not every kernel has directories with another rule than their neighbours'.</summary>
    internal Func<int, NameRule> RuleOfDirectory { get; init; } = NameRules.OfDirectory;
}
