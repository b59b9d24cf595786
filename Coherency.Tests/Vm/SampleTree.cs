namespace Coherency.Tests.Vm;

/// <summary>A directory tree like a source checkout's: many small files, a few large ones, links.</summary>
public static class SampleTree
{
    private const int Directories = 40;
    private const int FilesPerDirectory = 50;
    private const int LargeFiles = 2;
    private const int LargeFileSize = 1_000_001;

    public static void Create(string root)
    {
        // Seeded, so that a failure can be repeated.
        var random = new Random(20261122);
        for (var directory = 0; directory < Directories; directory++)
        {
            var path = Directory.CreateDirectory(Path.Combine(root, $"group-{directory % 7}", $"{directory}")).FullName;
            for (var file = 0; file < FilesPerDirectory; file++)
                WriteRandomFile(random, Path.Combine(path, $"file-{file}"), random.Next(6000));
            File.CreateSymbolicLink(Path.Combine(path, "link"), $"file-{directory % FilesPerDirectory}");
        }
        for (var file = 0; file < LargeFiles; file++)
            WriteRandomFile(random, Path.Combine(root, $"large-{file}"), LargeFileSize);
    }

    /// <summary>
    /// A shell command that prints one hash over a tree's names, types, modes, times, link targets and contents.
    /// Links' times are left out, because busybox's cp does not copy them.
    /// </summary>
    public static string Fingerprint(string root) =>
        $"( cd {root} &&"
        + " find . -type l -exec stat -c %N {} + -o -exec stat -c '%n %F %a %Y' {} + -type f -exec sha256sum {} +"
        + " | tr -d \\' | LC_ALL=C sort | sha256sum )";

    private static void WriteRandomFile(Random random, string path, int size)
    {
        var content = new byte[size];
        random.NextBytes(content);
        File.WriteAllBytes(path, content);
    }
}
