using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>A new file system in a file, mounted; gone when disposed, as soon as nobody has anything of it open.</summary>
internal sealed class LoopFileSystem : IDisposable
{
    private readonly string _mount;
    private readonly bool _ownsDirectory;

    /// <param name="make">The beginning of a command line that the file's name follows.</param>
    /// <param name="directory">Where to mount it; a directory of its own when not given.</param>
    /// <param name="mount">The beginning of a command line that the file's name and the directory follow.</param>
    public LoopFileSystem(string make, string? directory = null, string mount = "mount -o loop")
    {
        _ownsDirectory = directory is null;
        Directory = directory ?? System.IO.Directory.CreateTempSubdirectory("coherency-mount").FullName;
        // As much as XFS asks for.
        Shell($"truncate -s 400M {Image} && {make} {Image}");
        _mount = $"{mount} {Image} {Directory}";
        Mount();
    }

    /// <summary>The file.</summary>
    public string Image { get; } = Path.GetTempFileName();

    public string Directory { get; }

    /// <summary>One whose names may be spelled in capitals and small letters alike.</summary>
    public static LoopFileSystem IgnoringCase(string? directory = null) =>
        new("mkntfs -F -Q -q", directory, "lowntfs-3g -o ignore_case");

    /// <summary>Again, after <see cref="TryUnmount"/>.</summary>
    public void Mount() => Shell(_mount);

    /// <summary>False when somebody has something of it open.</summary>
    public bool TryUnmount() => ChildProcess.Run("umount", [Directory]).ExitCode == 0;

    public void Dispose()
    {
        Shell($"umount -l {Directory}; rm {Image}");
        if (_ownsDirectory)
        {
            System.IO.Directory.Delete(Directory);
        }
    }

    private static void Shell(string command)
    {
        ChildResult result = ChildProcess.Run("sh", ["-c", command]);
        Assert.True(result.ExitCode == 0, result.Errors);
    }
}
