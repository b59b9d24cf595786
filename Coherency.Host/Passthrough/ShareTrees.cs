namespace Coherency.Host.Passthrough;

/// <summary>
/// The parts of file systems that a directory shows, itself and what is mounted below it, so that two shares that reach the
/// same files are found out, by whichever mounts they do (proc(5), /proc/pid/mountinfo).
/// </summary>
public sealed class ShareTrees
{
    private readonly List<Tree> _trees = [];

    private ShareTrees()
    {
    }

    /// <summary>A directory of a file system: its device as mountinfo spells it, and the path within the file system.</summary>
    private sealed record Tree(string Device, string Path);

    /// <param name="directory">An existing directory; symbolic links are followed.</param>
    public static ShareTrees Of(string directory) => Of(ResolveLinks(directory), File.ReadAllLines(MountInfo.File));

    /// <summary>Does some file appear in both?</summary>
    public bool Overlaps(ShareTrees other) =>
        _trees.Any(mine => other._trees.Any(theirs =>
            mine.Device == theirs.Device && (MountInfo.IsWithin(mine.Path, theirs.Path) || MountInfo.IsWithin(theirs.Path, mine.Path))));

    internal static ShareTrees Of(string path, IEnumerable<string> mountInfo)
    {
        ShareTrees trees = new();
        MountInfo? own = null;
        foreach (MountInfo mount in mountInfo.Select(MountInfo.Parse))
        {
            if (MountInfo.IsWithin(path, mount.MountPoint))
            {
                // The deepest one counts, and of those at one place the last.
                own = own is null || mount.MountPoint.Length >= own.MountPoint.Length ? mount : own;
            }
            else if (MountInfo.IsWithin(mount.MountPoint, path))
            {
                trees._trees.Add(new Tree(mount.Device, mount.Root));
            }
        }

        if (own is not null)
        {
            trees._trees.Add(new Tree(own.Device, Join(own.Root, path[own.MountPoint.TrimEnd('/').Length..])));
        }

        return trees;
    }

    private static string Join(string root, string below) => below.Length == 0 ? root : root.TrimEnd('/') + below;

    private static string ResolveLinks(string directory)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        string resolved = "/";
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            DirectoryInfo next = new(Path.Combine(resolved, name));
            resolved = next.Exists && next.ResolveLinkTarget(returnFinalTarget: true) is { } target
                ? ResolveLinks(target.FullName)
                : next.FullName;
        }

        return resolved;
    }
}
