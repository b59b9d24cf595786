using Coherency.Tests.Published;

namespace Coherency.Tests.Docker;

/// <summary>The image's file system, made as docker/Dockerfile says, without an engine; gone when disposed.</summary>
internal sealed class ImageRoot : IDisposable
{
    private readonly DirectoryInfo _work = System.IO.Directory.CreateTempSubdirectory("coherency-image-");
    private readonly ImageFile _image = new();

    public ImageRoot(PublishedDaemon published)
    {
        string cached = Run(Path.Combine(Repository.Root, "eng", "image-root"), []).Trim();
        Run("cp", ["--archive", cached, Directory]);
        foreach (string command in _image.Commands)
        {
            Run("chroot", [Directory, "/bin/sh", "-c", command]);
        }

        foreach ((string from, string to) in _image.Copies)
        {
            File.Copy(Path.Combine(published.Folder, Path.GetRelativePath("/publish", from)), Inside(to));
        }
    }

    /// <summary>Its root, on the host.</summary>
    public string Directory => Path.Combine(_work.FullName, "root");

    /// <summary>Where a path of the image is, on the host.</summary>
    public string Inside(string path) => Path.Combine(Directory, Path.GetRelativePath("/", path));

    /// <summary>
    /// The arguments of <c>unshare</c> with which a command of the image runs as the image's user with the image's environment and
    /// nothing else. The mount of /proc goes with the command.
    /// </summary>
    public IEnumerable<string> Enter(IEnumerable<string> command) =>
    [
        "--mount", "/bin/sh", "-c",
        "root=$1; user=$2; shift 2; mount -t proc proc $root/proc && exec chroot --userspec=$user $root /usr/bin/env -i \"$@\"",
        "sh", Directory, _image.User, .. _image.Environment, .. command,
    ];

    public void Dispose() => _work.Delete(recursive: true);

    private static string Run(string program, IEnumerable<string> arguments)
    {
        ChildResult result = ChildProcess.Run(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program}: {result.Output}{result.Errors}");
        return result.Output;
    }
}
