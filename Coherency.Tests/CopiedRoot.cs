namespace Coherency.Tests;

/// <summary>A copy of a root directory, in which programs run as if there were nothing else; gone when disposed. Needs root.</summary>
internal sealed class CopiedRoot : IDisposable
{
    private readonly DirectoryInfo _work = System.IO.Directory.CreateTempSubdirectory("coherency-root-");

    /// <param name="maker">A program of eng/ that prints where the directory is that is copied.</param>
    public CopiedRoot(string maker, params IEnumerable<string> arguments)
    {
        string cached = RunOnHost(Path.Combine(Repository.Root, "eng", maker), arguments).Trim();
        RunOnHost("cp", ["--archive", cached, Directory]);
    }

    /// <summary>Where it is on the host.</summary>
    public string Directory => Path.Combine(_work.FullName, "root");

    /// <summary>Where a path of it is, on the host.</summary>
    public string Inside(string path) => Path.Combine(Directory, Path.GetRelativePath("/", path));

    /// <summary>
    /// The arguments of <c>unshare</c> with which a command runs in it, with this environment and no other. The mount of /proc goes with
    /// the command.
    /// </summary>
    /// <param name="user">USER:GROUP.</param>
    /// <param name="environment">As NAME=VALUE.</param>
    public IEnumerable<string> Enter(IEnumerable<string> command, string user, IEnumerable<string> environment) =>
    [
        "--mount", "/bin/sh", "-c",
        "root=$1; user=$2; shift 2; mount -t proc proc $root/proc && exec chroot --userspec=$user $root /usr/bin/env -i \"$@\"",
        "sh", Directory, user, .. environment, .. command,
    ];

    public void Dispose() => _work.Delete(recursive: true);

    /// <summary>Runs a program that must succeed; returns what it printed.</summary>
    public static string RunOnHost(string program, IEnumerable<string> arguments)
    {
        ChildResult result = ChildProcess.Run(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program}: {result.Output}{result.Errors}");
        return result.Output;
    }
}
