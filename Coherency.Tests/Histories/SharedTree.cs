using System.Collections.Concurrent;
using Coherency.Core.Fuse;
using Coherency.Tests.Linearizability;

namespace Coherency.Tests.Histories;

internal enum NodeKind
{
    File,
    Directory,
    Symlink,
}

/// <summary>A name that guests fight over.</summary>
/// <param name="Directory">Index of the directory that it is in.</param>
internal readonly record struct SharedName(int Directory, string Name)
{
    public override string ToString() => $"{SharedTree.Directories[Directory]}/{Name}";
}

/// <summary>Two names of one kind of inode; only these two are renamed and linked into one another.</summary>
internal sealed record SharedPair(NodeKind Kind, SharedName First, SharedName Second)
{
    public CheckedObject Names { get; } = new($"{Kind} names 0 = {First} and 1 = {Second}", NamePair.BothAbsent);

    public SharedName this[int name] => name == 0 ? First : Second;
}

/// <summary>A directory in which every user makes and removes subdirectories of its own, and looks at what all of them left.</summary>
internal sealed class SharedYard(string name)
{
    /// <summary>Its name in its parent and its own dot, where the file system counts subdirectories.</summary>
    private const ulong LinksOfEmptyDirectory = 2;

    public string Name { get; } = name;

    public CheckedObject Links { get; } = new($"links of {name}", Register.Holding(LinksOfEmptyDirectory));

    /// <summary>Nobody sets it: it is the time of the last change of the names within.</summary>
    public CheckedObject ModificationTime { get; } = new($"modification time of {name}", Register.Holding(0));
}

/// <summary>What the checker follows of an inode; every one that is not of its kind stays without a step.</summary>
internal sealed class CheckedInode(NodeId node)
{
    public CheckedObject Mode { get; } = new($"mode of {node}", Register.Unknown);

    public CheckedObject Size { get; } = new($"size of {node}", Register.Holding(0));

    public CheckedObject Owner { get; } = new($"owner of {node}", Register.Holding(0));

    public CheckedObject ModificationTime { get; } = new($"modification time of {node}", Register.Unknown);

    public CheckedObject Target { get; } = new($"target of {node}", Register.Holding(0));
}

/// <summary>
/// The few names that all guests work on, in few directories, and the inodes that they came to stand for. Node ids are hashes
/// of file handles and so the same in every guest.
/// </summary>
internal sealed class SharedTree
{
    private readonly ConcurrentDictionary<NodeId, CheckedInode> _inodes = new();
    private long _lastValue;

    public static IReadOnlyList<string> Directories { get; } = ["left", "right"];

    public static IReadOnlyList<string> YardNames { get; } = ["yard", "court"];

    public IReadOnlyList<SharedYard> Yards { get; } = [.. YardNames.Select(name => new SharedYard(name))];

    public IReadOnlyList<SharedPair> Pairs { get; } =
    [
        new(NodeKind.File, new(0, "a"), new(0, "b")),
        new(NodeKind.File, new(0, "c"), new(1, "c")),
        new(NodeKind.File, new(1, "d"), new(0, "e")),
        new(NodeKind.File, new(1, "f"), new(1, "g")),
        new(NodeKind.Directory, new(0, "h"), new(0, "i")),
        new(NodeKind.Directory, new(0, "j"), new(1, "j")),
        new(NodeKind.Symlink, new(0, "k"), new(1, "l")),
        new(NodeKind.Symlink, new(1, "m"), new(1, "n")),
    ];

    public CheckedInode this[NodeId node] => _inodes.GetOrAdd(node, static id => new CheckedInode(id));

    /// <summary>A value that was never written before.</summary>
    public ulong NextValue() => (ulong)Interlocked.Increment(ref _lastValue);
}
