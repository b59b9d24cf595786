using System.Text;

namespace Coherency.Bench.Workloads;

/// <summary>
/// Any number of empty files, 1,000 in each directory. All contenders look at the same ones, one after another: a tree for each
/// would need memory for several times ten million inodes, and nobody changes them.
/// </summary>
internal static unsafe class InodeTree
{
    public const int FilesPerDirectory = BenchTree.FileCount;

    private const uint RegularFile = 0x81A4;

    /// <summary>On the wire, as file names are.</summary>
    public static byte[] DirectoryName(int index) => Encoding.UTF8.GetBytes(Name(index));

    /// <summary>Makes them, on all processors.</summary>
    /// <exception cref="IOException">The file system has no room for so many.</exception>
    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    public static void LayOut(string root, int directories, CancellationToken interrupted)
    {
        CheckRoom(root, (long)directories * (FilesPerDirectory + 1));
        try
        {
            Parallel.For(0, directories, new ParallelOptions { CancellationToken = interrupted }, index =>
            {
                string directory = Directory.CreateDirectory(Path.Combine(root, Name(index))).FullName;
                foreach (byte[] name in BenchTree.FileNames)
                {
                    // Not File.Create, which opens what it makes, and takes several times as long.
                    fixed (byte* path = (byte[])[.. Encoding.UTF8.GetBytes(directory), (byte)'/', .. name, 0])
                    {
                        LinuxException.Check(Libc.MkNodAt(OpenFlags.AT_FDCWD, path, RegularFile, 0), "mknodat");
                    }
                }
            });
        }
        catch (AggregateException e)
        {
            throw new IOException($"making {directories * (long)FilesPerDirectory:#,0} files in {root}: {e.InnerExceptions[0].Message}", e);
        }
    }

    /// <summary>A file system that tells no number of inodes has no limit but its space.</summary>
    private static void CheckRoom(string root, long inodes)
    {
        using FileStream any = new(
            Path.Combine(root, "room"),
            FileMode.Create,
            FileAccess.Write,
            FileShare.None,
            1,
            FileOptions.DeleteOnClose);
        LinuxException.Check(Libc.FStatFs((int)any.SafeFileHandle.DangerousGetHandle(), out statfs room), "fstatfs");
        if (room.f_files != 0 && room.f_ffree < (ulong)inodes)
        {
            throw new IOException($"{root} has room for {room.f_ffree:#,0} files and {inodes:#,0} are wanted: "
                + "give fewer --inodes, or a --directory such as a tmpfs mounted with nr_inodes=0");
        }
    }

    private static string Name(int index) => index.ToString("d6", CultureInfo.InvariantCulture);
}
