using System.Globalization;
using Coherency.Tests.Published;

namespace Coherency.Tests.Packaging;

/// <summary>The packages of eng/deb, and the same with an older version to upgrade from.</summary>
public sealed class DebianPackages : IDisposable
{
    public const string OlderVersion = "0.0.1";

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-deb-");
    private readonly PublishedDaemon _published;

    public DebianPackages(PublishedDaemon published)
    {
        _published = published;
        Files = Make("new");
        Directory.CreateDirectory(Path.Combine(_work.FullName, "old"));
        OlderFiles = [.. Files.Select(MakeOlder)];
    }

    /// <summary>coherencyd, coherencyd-virtiofsd and coherency-dkms, in this order.</summary>
    public IReadOnlyList<string> Files { get; }

    public IReadOnlyList<string> OlderFiles { get; }

    /// <summary>What programs say of themselves.</summary>
    internal static string ProgramVersion => DaemonProgram.Version;

    /// <summary>Of the package, for dpkg.</summary>
    public string Version => CopiedRoot.RunOnHost("dpkg-deb", ["--field", Files[0], "Version"]).Trim();

    /// <summary>Makes them once more.</summary>
    /// <param name="folder">The name of a folder for them.</param>
    public string[] Make(string folder)
    {
        string names = CopiedRoot.RunOnHost(
            Path.Combine(Repository.Root, "eng", "deb"),
            ["--output", Path.Combine(_work.FullName, folder), "--published", _published.Folder]);
        return names.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Dispose() => _work.Delete(recursive: true);

    /// <summary>The same files under an older number. The programs are other inodes, as those of an older release would be.</summary>
    private string MakeOlder(string file, int index)
    {
        string tree = Path.Combine(_work.FullName, string.Create(CultureInfo.InvariantCulture, $"tree-{index}"));
        string older = Path.Combine(_work.FullName, "old", Path.GetFileName(file).Replace(Version, OlderVersion, StringComparison.Ordinal));
        CopiedRoot.RunOnHost("dpkg-deb", ["--raw-extract", file, tree]);
        ChildProcess.Shell(
            $"sed -i 's/{Version}/{OlderVersion}/g' DEBIAN/*\n" +
            $"[ ! -e usr/src/coherency-{Version} ] || mv usr/src/coherency-{Version} usr/src/coherency-{OlderVersion}\n" +
            $"find usr/src -name dkms.conf -exec sed -i 's/{Version}/{OlderVersion}/' {{}} + 2>/dev/null || true\n" +
            $"dpkg-deb --root-owner-group -Zgzip --build . '{older}'",
            tree);
        return older;
    }
}
