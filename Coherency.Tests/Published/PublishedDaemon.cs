namespace Coherency.Tests.Published;

/// <summary>
/// What people download, as eng/publish makes it: once for all tests that need it, as it takes minutes. COHERENCY_PUBLISHED names the
/// folder where it has been made already.
/// </summary>
public sealed class PublishedDaemon : IDisposable
{
    private readonly DirectoryInfo? _own;

    public PublishedDaemon()
    {
        if (Environment.GetEnvironmentVariable("COHERENCY_PUBLISHED") is { Length: > 0 } made)
        {
            Folder = made;
            return;
        }

        _own = Directory.CreateTempSubdirectory("coherency-publish-");
        Folder = _own.FullName;
        ChildResult publish = ChildProcess.Run(Path.Combine(Repository.Root, "eng", "publish"), [Folder]);
        Assert.True(publish.ExitCode == 0, publish.Output + publish.Errors);
    }

    public string Folder { get; }

    /// <summary>The stand-in for virtiofsd.</summary>
    public string Keeper => Path.Combine(Folder, "coherencyd-virtiofsd");

    public DaemonProgram Program => new(Path.Combine(Folder, "coherencyd"));

    public void Dispose() => _own?.Delete(recursive: true);
}

/// <summary>Tests of the published file.</summary>
[CollectionDefinition(Name)]
public sealed class PublishedTests : ICollectionFixture<PublishedDaemon>
{
    public const string Name = "published";
}
