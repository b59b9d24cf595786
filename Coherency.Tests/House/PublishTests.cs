using System.Reflection;

namespace Coherency.Tests.House;

/// <summary>What people download: one file, published as eng/publish does it.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-publish-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_published_file_stands_alone_and_tells_its_version()
    {
        ChildResult publish = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "publish"), [_folder.FullName]);
        Assert.True(publish.ExitCode == 0, publish.Output + publish.Errors);
        Assert.Equal(["coherencyd"], _folder.GetFileSystemInfos().Select(file => file.Name));

        ChildResult daemon = ChildProcess.Run(Path.Combine(_folder.FullName, "coherencyd"), ["--version"]);
        Assert.True(daemon.ExitCode == 0, daemon.Output + daemon.Errors);
        Assert.StartsWith(Version, daemon.Output, StringComparison.Ordinal);
    }

    /// <summary>The tests are built with the same version as the daemon (Directory.Build.props).</summary>
    private static string Version => typeof(PublishTests).Assembly.GetName().Version!.ToString(fieldCount: 3);
}
