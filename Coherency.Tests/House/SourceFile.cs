namespace Coherency.Tests.House;

/// <summary>A text file of the repository; <c>Path</c> is relative to its root, with slashes.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    private static readonly string[] FoldersOfOutput = [".git", "bin", "obj", "artifacts", "TestResults", ".vs", ".idea"];

    public bool IsCSharp => Path.EndsWith(".cs", StringComparison.Ordinal);

    public bool IsProject => Path.EndsWith(".csproj", StringComparison.Ordinal);

    public string FileName => System.IO.Path.GetFileName(Path);

    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>Lines with their number, counted from 1.</summary>
    public IEnumerable<(int Number, string Text)> Lines => Text.Split('\n').Select((line, index) => (index + 1, line));

    /// <summary>Everything that people wrote: neither build output nor files that are not text.</summary>
    public static IReadOnlyList<SourceFile> AllOfRepository() => [.. Below(new DirectoryInfo(Repository.Root))];

    private static IEnumerable<SourceFile> Below(DirectoryInfo folder)
    {
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos().Where(entry => !FoldersOfOutput.Contains(entry.Name)))
        {
            IEnumerable<SourceFile> files = entry is DirectoryInfo subfolder ? Below(subfolder) : TextOf(entry.FullName);
            foreach (SourceFile file in files)
            {
                yield return file;
            }
        }
    }

    private static IEnumerable<SourceFile> TextOf(string fullPath)
    {
        string text = File.ReadAllText(fullPath);
        if (!text.Contains('\0', StringComparison.Ordinal))
        {
            yield return new SourceFile(System.IO.Path.GetRelativePath(Repository.Root, fullPath), text);
        }
    }
}
