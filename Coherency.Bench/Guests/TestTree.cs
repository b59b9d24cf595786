using System.Text;

namespace Coherency.Bench.Guests;

/// <summary>
/// The tree that every contender gets a copy of, and what a program that works on it must find. The same number of files gives
/// the same tree, so that results of two runs can be compared.
/// </summary>
internal sealed class TestTree(string directory, int files)
{
    /// <summary>Bytes of the file that fio reads.</summary>
    public const int DataBytes = 32 << 20;

    /// <summary>That two trees have the same commits.</summary>
    private const string FixedDate = "export GIT_AUTHOR_DATE=2020-01-02T00:00:00Z GIT_COMMITTER_DATE=2020-01-02T00:00:00Z";

    private const int FilesPerDirectory = 20;
    private const int DirectoriesPerFolder = 25;

    // Every tenth file differs between the commits; some of these are not there in the second, which has as many others.
    private const int ChangedEvery = 10;
    private const int RemovedEvery = 50;
    private const int Sources = 12;

    /// <summary>Results of make are newer than their sources, and the index is newer than the files that it describes.</summary>
    private static readonly DateTime Past = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>On the host.</summary>
    public string Directory { get; } = directory;

    /// <summary>Of the repository's first commit.</summary>
    public int Files { get; } = files;

    /// <summary>Of the tree that is archived, walked and removed.</summary>
    public int PackageFiles => Files / 4;

    /// <summary>Files that programs create which make many small ones.</summary>
    public int CreatedFiles => Math.Max(Files / 20, 20);

    /// <summary>What <c>find</c> lists in the repository, git's own directory aside.</summary>
    public int RepositoryEntries { get; private set; }

    public long ArchiveBytes { get; private set; }

    /// <summary>What a sample of the archived files must be: <c>cksum</c> of their contents.</summary>
    public string PackageChecksum { get; private set; } = "";

    /// <summary>Of a sample of the files that the second commit changed, as it left them.</summary>
    public string CheckoutChecksum { get; private set; } = "";

    public static TestTree Create(string directory, int files)
    {
        TestTree tree = new(directory, files);
        System.IO.Directory.CreateDirectory(directory);
        tree.MakeRepository();
        tree.MakePackages();
        tree.MakeProject();
        File.WriteAllBytes(Path.Combine(directory, "data.bin"), RandomBytes(DataBytes));
        return tree;
    }

    private static string NameOfFile(int index)
    {
        int directory = index / FilesPerDirectory;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"folder-{directory / DirectoriesPerFolder:d3}/part-{directory % DirectoriesPerFolder:d2}/file-{index:d6}.txt");
    }

    private static byte[] RandomBytes(int count)
    {
        byte[] bytes = new byte[count];
        // The same bytes in every run; nobody guesses them to do harm.
#pragma warning disable CA5394
        new Random(count).NextBytes(bytes);
#pragma warning restore CA5394
        return bytes;
    }

    /// <summary>A few hundred to a few thousand bytes of text that is no other file's.</summary>
    private static string TextOf(int index, string version)
    {
        StringBuilder text = new();
        int lines = 5 + (index * 7 % 60);
        for (int line = 0; line < lines; line++)
            text.Append(CultureInfo.InvariantCulture, $"{version} file {index} line {line}: the quick brown fox jumps over it\n");
        return text.ToString();
    }

    private void MakeRepository()
    {
        string repository = Path.Combine(Directory, "repo");
        Write(repository, ".gitignore", "busy/\n");
        for (int i = 0; i < Files; i++)
            Write(repository, NameOfFile(i), TextOf(i, "first"));
        RepositoryEntries = System.IO.Directory.EnumerateFileSystemEntries(repository, "*", SearchOption.AllDirectories).Count() + 1;
        ChildProcess.Shell(
            $"""
            git init -q -b main . && git config user.name bench && git config user.email bench@localhost
            git config gc.auto 0
            # A copy of the tree has other inodes and change times, and git is to believe it all the same.
            git config core.checkStat minimal && git config core.trustCtime false
            {FixedDate} && git add -A && git commit -q -m first && git tag first
            """,
            repository);
        MakeSecondCommit(repository);
        ChildProcess.Shell(
            "find . -path ./.git -prune -o -type f -print0 | xargs -0 touch -d 2020-01-01 && git reset -q --hard && git repack -adq",
            repository);
    }

    private void MakeSecondCommit(string repository)
    {
        List<string> changed = [];
        for (int i = 0; i < Files; i += ChangedEvery)
        {
            bool isRemoved = i % RemovedEvery == 0;
            if (isRemoved)
                File.Delete(Path.Combine(repository, NameOfFile(i)));
            changed.Add(NameOfFile(i) + (isRemoved ? ".new" : ""));
            Write(repository, changed[^1], TextOf(i, "second"));
        }

        string[] sample = [.. changed.Where((_, index) => index % 10 == 0)];
        File.WriteAllText(Path.Combine(Directory, "changed.txt"), string.Join('\n', sample) + "\n");
        CheckoutChecksum = ChildProcess.Shell("xargs cat <../changed.txt | cksum", repository);
        ChildProcess.Shell(
            $"{FixedDate} && git add -A && git commit -q -m second && git tag second && git checkout -q --detach first", repository);
    }

    /// <summary>As npm leaves it: packages within packages, most of their files small.</summary>
    private void MakePackages()
    {
        string packages = Path.Combine(Directory, "packages");
        for (int i = 0; i < PackageFiles; i++)
        {
            int package = i / 10;
            string file = i % 10 == 0 ? "package.json" : string.Create(CultureInfo.InvariantCulture, $"lib/module-{i % 10}.js");
            string name = string.Create(
                CultureInfo.InvariantCulture, $"node_modules/scope-{package / 40}/package-{package}/node_modules/inner/{file}");
            Write(packages, name, TextOf(i, "package"));
        }

        ChildProcess.Shell("tar cf packages.tar packages", Directory);
        ArchiveBytes = new FileInfo(Path.Combine(Directory, "packages.tar")).Length;
        PackageChecksum = ChildProcess.Shell(ChecksumOfPackages("packages"), Directory);
    }

    /// <summary>A shell command that prints what <see cref="PackageChecksum"/> is for the original.</summary>
    public static string ChecksumOfPackages(string folder) =>
        $"(cd {folder} && find . -type f | LC_ALL=C sort | awk 'NR % 25 == 1' | xargs cat | cksum)";

    private void MakeProject()
    {
        string project = Path.Combine(Directory, "project");
        string[] names = [.. Enumerable.Range(0, Sources).Select(i => $"unit{i}")];
        Write(project, "shared.h", "#include <stdio.h>\n" + string.Concat(names.Select(name => $"int {name}(int);\n")));
        Write(project, "types.h", "struct pair { int left, right; };\n");
        for (int i = 0; i < Sources; i++)
        {
            Write(project, $"unit{i}.c",
                $"#include \"shared.h\"\n#include \"types.h\"\nint unit{i}(int n) " +
                $"{{ struct pair p = {{ n, {i} }}; return p.left + p.right; }}\n");
        }

        string sum = string.Join(" + ", names.Select(name => name + "(1)"));
        Write(project, "main.c", $"#include \"shared.h\"\nint main(void) {{ printf(\"%d\\n\", {sum}); return 0; }}\n");
        Write(project, "Makefile",
            $"OBJECTS = main.o {string.Join(' ', names.Select(name => name + ".o"))}\n"
            + "all: program\nprogram: $(OBJECTS)\n\t$(CC) -o $@ $(OBJECTS)\n$(OBJECTS): shared.h types.h\nclean:\n\trm -f program " +
                "*.o\n.PHONY: all clean\n");
        ChildProcess.Shell("make -s", project);
    }

    private static void Write(string root, string name, string text)
    {
        string path = Path.Combine(root, name);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        File.SetLastWriteTimeUtc(path, Past);
    }

    /// <summary>What the project's program prints.</summary>
    public static int ProjectResult => Sources + (Sources * (Sources - 1) / 2);
}
