using System.Globalization;
using System.Text;

namespace Coherency.Bench.Workloads;

/// <summary>The directory that each contender shares: the same content in a fresh one for each.</summary>
public static class BenchTree
{
    public const int FileCount = 1000;
    public const int FileBytes = 4096;
    public const int StreamBytes = 64 << 20;
    public const int InodesPerDirectory = 1000;

    /// <summary>Names of the small files, as they are on the wire.</summary>
    public static readonly IReadOnlyList<byte[]> FileNames =
        [.. Enumerable.Range(0, FileCount).Select(i => Encoding.UTF8.GetBytes(FileName(i)))];

    public static ReadOnlySpan<byte> FilesDirectory => "files"u8;

    public static ReadOnlySpan<byte> ScratchDirectory => "scratch"u8;

    public static ReadOnlySpan<byte> InodesDirectory => "inodes"u8;

    public static ReadOnlySpan<byte> StreamFile => "stream"u8;

    /// <summary>Makes 1,000 files of 4 KiB, an empty directory, and a file of 64 MiB.</summary>
    public static void LayOut(string root)
    {
        string files = Directory.CreateDirectory(Path.Combine(root, "files")).FullName;
        byte[] content = new byte[FileBytes];
        new Random(1).NextBytes(content);
        for (int i = 0; i < FileCount; i++)
        {
            File.WriteAllBytes(Path.Combine(files, FileName(i)), content);
        }

        Directory.CreateDirectory(Path.Combine(root, "scratch"));
        using FileStream stream = File.Create(Path.Combine(root, "stream"));
        for (int written = 0; written < StreamBytes; written += FileBytes)
        {
            stream.Write(content);
        }
    }

    /// <summary>Makes empty files for the memory row, 1,000 in each directory.</summary>
    public static void LayOutInodes(string root, int count)
    {
        for (int i = 0; i < count; i++)
        {
            string directory = Path.Combine(root, "inodes", DirectoryName(i / InodesPerDirectory));
            if (i % InodesPerDirectory == 0)
            {
                Directory.CreateDirectory(directory);
            }

            File.Create(Path.Combine(directory, FileName(i % InodesPerDirectory))).Dispose();
        }
    }

    public static string DirectoryName(int index) => index.ToString("d4", CultureInfo.InvariantCulture);

    private static string FileName(int index) => $"file-{index.ToString("d4", CultureInfo.InvariantCulture)}";
}
