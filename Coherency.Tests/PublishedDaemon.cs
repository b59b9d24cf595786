namespace Coherency.Tests;

/// <summary>What people download, as eng/publish makes it: once for all tests that need it, as it takes minutes.</summary>
public sealed class PublishedDaemon : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-publish-");

    public PublishedDaemon()
    {
        ChildResult publish = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "publish"), [Folder]);
        Assert.True(publish.ExitCode == 0, publish.Output + publish.Errors);
    }

    public string Folder => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>Tests of the published file.</summary>
[CollectionDefinition(Name)]
public sealed class PublishedTests : ICollectionFixture<PublishedDaemon>
{
    public const string Name = "published";
}
