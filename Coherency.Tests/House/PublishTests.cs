namespace Coherency.Tests.House;

/// <summary>What people download is one file.</summary>
[Collection(PublishedTests.Name)]
public sealed class PublishTests(PublishedDaemon published)
{
    [Fact]
    public void The_published_file_stands_alone_and_tells_its_version()
    {
        Assert.Equal(["coherencyd"], Directory.GetFileSystemEntries(published.Folder).Select(Path.GetFileName));

        ChildResult daemon = ChildProcess.Run(Path.Combine(published.Folder, "coherencyd"), ["--version"]);
        Assert.True(daemon.ExitCode == 0, daemon.Output + daemon.Errors);
        Assert.StartsWith(Version, daemon.Output, StringComparison.Ordinal);
    }

    /// <summary>The tests are built with the same version as the daemon (Directory.Build.props).</summary>
    private static string Version => typeof(PublishTests).Assembly.GetName().Version!.ToString(fieldCount: 3);
}
