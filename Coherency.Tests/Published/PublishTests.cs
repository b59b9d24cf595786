namespace Coherency.Tests.Published;

/// <summary>What people download is one file.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishTests(PublishedDaemon published)
{
    [Fact]
    public void The_published_files_stand_alone_and_tell_their_version()
    {
        Assert.Equal(
            ["coherencyd", "coherencyd-virtiofsd"], Directory.GetFileSystemEntries(published.Folder).Select(Path.GetFileName).Order());

        ChildResult daemon = published.Program.Run("--version");
        Assert.True(daemon.ExitCode == 0, daemon.Output + daemon.Errors);
        Assert.StartsWith(DaemonProgram.Version, daemon.Output, StringComparison.Ordinal);
        ChildResult keeper = ChildProcess.Run(published.Keeper, ["--version"]);
        Assert.Equal($"virtiofsd 1.14.0 (coherencyd {DaemonProgram.Version})\n", keeper.Output);
    }
}
