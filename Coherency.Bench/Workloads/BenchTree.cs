using System.Text;

namespace Coherency.Bench.Workloads;

/// <summary>The directory that each contender shares: the same content in a fresh one for each.</summary>
internal static class BenchTree
{
    public const int FileCount = 1000;
    public const int FileBytes = 4096;
    public const int StreamBytes = 64 << 20;

    /// <summary>Of the tree that is walked, and of the files in each of its directories.</summary>
    public const int WalkDirectories = 50;
    public const int WalkFiles = 20;

    /// <summary>Directories in which a compiler looks for a header, in turn.</summary>
    public const int IncludeDirectories = 4;
    public const int Headers = 8;

    private const int Links = 100;

    /// <summary>Names of the small files, as they are on the wire.</summary>
    public static readonly IReadOnlyList<byte[]> FileNames = Names("file", FileCount);

    /// <summary>Names that no directory has.</summary>
    public static readonly IReadOnlyList<byte[]> AbsentNames = Names("none", FileCount);

    public static readonly IReadOnlyList<byte[]> LinkNames = Names("link", Links);

    public static readonly IReadOnlyList<byte[]> WalkFileNames = [.. FileNames.Take(WalkFiles)];
    public static readonly IReadOnlyList<byte[]> WalkNames = Names("walk", WalkDirectories);

    public static readonly IReadOnlyList<byte[]> IncludeNames = Names("include", IncludeDirectories);

    public static readonly IReadOnlyList<byte[]> HeaderNames = Names("header", Headers);

    public static ReadOnlySpan<byte> FilesDirectory => "files"u8;

    /// <summary>As many files as the one before, of which no workload keeps a node.</summary>
    public static ReadOnlySpan<byte> ColdDirectory => "cold"u8;

    public static ReadOnlySpan<byte> LinksDirectory => "links"u8;

    public static ReadOnlySpan<byte> WalkDirectory => "walk"u8;

    public static ReadOnlySpan<byte> ScratchDirectory => "scratch"u8;

    public static ReadOnlySpan<byte> StreamFile => "stream"u8;

    public static void LayOut(string root)
    {
        byte[] content = new byte[FileBytes];
        new Random(1).NextBytes(content);
        MakeFiles(root, "files", FileNames, content);
        MakeFiles(root, "cold", FileNames, []);
        MakeFiles(root, "scratch", [], []);
        MakeFiles(root, "links", [], []);
        foreach (byte[] name in LinkNames)
            File.CreateSymbolicLink(Path.Combine(root, "links", Text(name)), "../files/file-0000");
        foreach (byte[] name in WalkNames)
            MakeFiles(root, Path.Combine("walk", Text(name)), WalkFileNames, content);
        // Header i is in directory i modulo their number, so that finding it takes as many misses.
        for (int i = 0; i < IncludeDirectories; i++)
            MakeFiles(root, Text(IncludeNames[i]), [.. HeaderNames.Where((_, header) => header % IncludeDirectories == i)], content);
        using FileStream stream = File.Create(Path.Combine(root, "stream"));
        for (int written = 0; written < StreamBytes; written += FileBytes)
            stream.Write(content);
    }

    private static void MakeFiles(string root, string directory, IReadOnlyList<byte[]> names, byte[] content)
    {
        string path = Directory.CreateDirectory(Path.Combine(root, directory)).FullName;
        foreach (byte[] name in names)
            File.WriteAllBytes(Path.Combine(path, Text(name)), content);
    }

    private static byte[][] Names(string prefix, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Encoding.UTF8.GetBytes($"{prefix}-{i.ToString("d4", CultureInfo.InvariantCulture)}"))];

    private static string Text(byte[] name) => Encoding.UTF8.GetString(name);
}
