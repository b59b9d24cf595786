using Coherency.Core.Linux;
using Coherency.Keeper.Options;

namespace Coherency.Keeper.Serving;

/// <summary>
/// Where a server of one's own runs, when that is asked for: a mount namespace that has the shared directory and, to read, what the
/// program needs; with <c>namespace</c> also a network and processes of its own. bubblewrap makes it, between this process and the
/// server, whose runtime has threads before its first statement and could enter one no more.
/// </summary>
internal static class Sandbox
{
    /// <summary>Where the shared directory is for the server. Not at its own place, which may be above what the program needs.</summary>
    public const string SharePath = "/share";

    private const string Bubblewrap = "/usr/bin/bwrap";
    private const string Namespace = "namespace";
    private const string Chroot = "chroot";

    /// <summary>What a program needs to run; the runtime asks the last one how much memory it may use.</summary>
    private static readonly string[] ReadOnly =
        ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/sys/fs/cgroup"];

    public static bool IsWanted(VirtiofsdOptions options) => options.Sandbox is Namespace or Chroot;

    /// <exception cref="RefusedException">There can be no sandbox here.</exception>
    public static void Check(VirtiofsdOptions options)
    {
        if (IsWanted(options) && !File.Exists(Bubblewrap))
        {
            throw new RefusedException(
                RefusedException.Failed,
                $"--sandbox={options.Sandbox} needs {Bubblewrap}: install bubblewrap, or confine the program from outside (a container, " +
                "a systemd unit) and give --sandbox=none");
        }

        if (options.Sandbox == Chroot && Libc.GetEUid() != 0)
        {
            throw new RefusedException(
                RefusedException.Failed, "--sandbox=chroot is for root only, whose processes stay visible in it: give --sandbox=namespace");
        }
    }

    /// <summary>The command that runs another one in the sandbox.</summary>
    public static string[] Wrap(VirtiofsdOptions options, string[] command)
    {
        List<string> words = [Bubblewrap, "--die-with-parent", "--unshare-ipc"];
        if (options.Sandbox == Namespace)
        {
            words.AddRange(["--unshare-pid", "--unshare-net"]);
        }

        foreach (string path in (string[])[.. ReadOnly, .. Folders(command)])
        {
            words.AddRange(["--ro-bind-try", path, path]);
        }

        words.AddRange(["--proc", "/proc", "--dev", "/dev", "--dir", "/tmp", "--bind", Path.GetFullPath(options.SharedDir), SharePath]);
        if (Libc.GetEUid() == 0)
        {
            words.AddRange(["--cap-drop", "ALL"]);
            foreach (string capability in CapabilityChanges.Kept(options.Modcaps, options.Guest.InodeFileHandles))
            {
                words.AddRange(["--cap-add", capability]);
            }
        }

        return [.. words, "--chdir", "/", "--", .. command];
    }

    /// <summary>Where a program's files are that is not installed in the usual place.</summary>
    private static IEnumerable<string> Folders(string[] command) => command
        .Where(word => Path.IsPathRooted(word) && File.Exists(word))
        .Select(word => Path.GetDirectoryName(Path.GetFullPath(word))!)
        .Where(folder => !ReadOnly.Any(present => folder == present || folder.StartsWith(present + '/', StringComparison.Ordinal)))
        .Distinct();
}
