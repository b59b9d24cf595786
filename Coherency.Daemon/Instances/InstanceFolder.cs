using Coherency.Core.Attaching;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Instances;

/// <summary>
/// Where a daemon that runs is found by its name: a folder with its sockets and what is told of it. It is one daemon's at a time, which
/// holds the lock in it for as long as it runs.
/// </summary>
internal sealed class InstanceFolder : IDisposable
{
    private const int NameCharactersMax = 64;

    private const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>Who only looks whether somebody has the lock has it for a moment.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    private readonly FileStream _lock;

    private InstanceFolder(string name, string path, FileStream taken) => (Name, Path, _lock) = (name, path, taken);

    public string Name { get; }

    public string Path { get; }

    public string AdminSocket => AdminSocketIn(Path);

    public string InfoFile => InfoFileIn(Path);

    public static string AdminSocketIn(string folder) => System.IO.Path.Combine(folder, "admin.sock");

    public static string InfoFileIn(string folder) => System.IO.Path.Combine(folder, "info.json");

    /// <exception cref="UsageException">It is no name.</exception>
    public static void CheckName(string name)
    {
        if (name.Length is 0 or > NameCharactersMax || name.StartsWith('.') || name.Any(c => c == '/' || char.IsControl(c)))
        {
            throw new UsageException(
                $"'{name}' cannot be an instance's name: 1 to {NameCharactersMax} characters, none a slash, are right");
        }
    }

    /// <summary>Takes the folder of an instance; null, with the reason, when it cannot be had.</summary>
    public static InstanceFolder? TryTake(string name, out string why)
    {
        why = $"XDG_RUNTIME_DIR does not say where daemons are found ({AttachPlace.DirectoryVariable} names another folder)";
        if (AttachPlace.DirectoryOf(name) is not { } path)
        {
            return null;
        }

        try
        {
            Directory.CreateDirectory(path, Everybody);
            FileStream? taken = null;
            if (SpinWait.SpinUntil(() => (taken = TryLock(path, FileShare.None)) is not null, Patience))
            {
                return new InstanceFolder(name, path, taken!);
            }

            why = $"another daemon is the instance '{name}': give this one a name of its own (--instance)";
        }
        catch (Exception unusable) when (unusable is UnauthorizedAccessException or IOException)
        {
            why = unusable.Message;
        }

        return null;
    }

    /// <summary>Some daemon has the folder.</summary>
    public static bool IsTaken(string path)
    {
        using FileStream? free = TryLock(path, FileShare.Read);
        return free is null;
    }

    public void Dispose() => _lock.Dispose();

    /// <summary>Null when somebody else has it; the runtime takes flock(2) for what is shared with nobody.</summary>
    private static FileStream? TryLock(string path, FileShare share)
    {
        string file = System.IO.Path.Combine(path, "lock");
        bool isWriter = share == FileShare.None;
        try
        {
            return new FileStream(file, new FileStreamOptions
            {
                Mode = isWriter ? FileMode.OpenOrCreate : FileMode.Open,
                Access = isWriter ? FileAccess.ReadWrite : FileAccess.Read,
                Share = share,
                UnixCreateMode = isWriter ? UnixFileMode.UserRead | UnixFileMode.UserWrite : null,
            });
        }
        catch (IOException held) when (held is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            return null;
        }
    }
}
