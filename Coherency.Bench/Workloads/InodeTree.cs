using System.Globalization;
using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Bench.Workloads;

/// <summary>
/// Any number of empty files, 1,000 in each directory. All contenders look at the same ones, one after another: a tree for each
/// would need memory for several times ten million inodes, and nobody changes them.
/// </summary>
internal static unsafe class InodeTree
{
    public const int FilesPerDirectory = BenchTree.FileCount;

    private const uint FileMode = 0x81A4;
    private const uint DirectoryMode = 0x1ED;

    /// <summary>On the wire, as file names are.</summary>
    public static byte[] DirectoryName(int index) => Encoding.UTF8.GetBytes(index.ToString("d6", CultureInfo.InvariantCulture));

    /// <summary>Makes them, on all processors.</summary>
    /// <exception cref="IOException">The file system has no room for so many.</exception>
    /// <exception cref="OperationCanceledException">The user interrupted the run.</exception>
    public static void LayOut(string root, int directories, CancellationToken interrupted)
    {
        using FileDescriptor parent = FileDescriptor.OpenDirectory(root);
        CheckRoom(parent, root, (long)directories * (FilesPerDirectory + 1));
        int workers = Environment.ProcessorCount;
        Exception?[] failures = new Exception?[workers];
        Thread[] threads = [.. Enumerable.Range(0, workers).Select(worker => new Thread(() =>
        {
            for (int i = worker; i < directories && failures[worker] is null && !interrupted.IsCancellationRequested; i += workers)
            {
                failures[worker] = MakeDirectory(parent, DirectoryName(i));
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        interrupted.ThrowIfCancellationRequested();
        if (Array.Find(failures, failure => failure is not null) is { } first)
        {
            throw new IOException($"making {directories * (long)FilesPerDirectory:#,0} files in {root}: {first.Message}", first);
        }
    }

    /// <summary>A file system that tells no number of inodes has no limit but its space.</summary>
    private static void CheckRoom(FileDescriptor directory, string root, long inodes)
    {
        LinuxException.Check(Libc.FStatFs(directory.Fd, out statfs room), "fstatfs");
        if (room.f_files != 0 && room.f_ffree < (ulong)inodes)
        {
            throw new IOException($"{root} has room for {room.f_ffree:#,0} files and {inodes:#,0} are wanted: "
                + "give fewer --inodes, or a --directory such as a tmpfs mounted with nr_inodes=0");
        }
    }

    private static LinuxException? MakeDirectory(FileDescriptor parent, byte[] name)
    {
        try
        {
            fixed (byte* path = (byte[])[.. name, 0])
            {
                LinuxException.Check(Libc.MkDirAt(parent.Fd, path, DirectoryMode), "mkdirat");
                using FileDescriptor directory = FileDescriptor.OpenAt(parent.Fd, path);
                MakeFiles(directory.Fd);
                return null;
            }
        }
        catch (LinuxException e)
        {
            return e;
        }
    }

    private static void MakeFiles(int directory)
    {
        foreach (byte[] name in TerminatedNames)
        {
            fixed (byte* path = name)
            {
                LinuxException.Check(Libc.MkNodAt(directory, path, FileMode, 0), "mknodat");
            }
        }
    }

    private static readonly byte[][] TerminatedNames = [.. BenchTree.FileNames.Select(name => (byte[])[.. name, 0])];

    /// <summary>Closes itself.</summary>
    private sealed class FileDescriptor(int fd) : IDisposable
    {
        public int Fd { get; } = fd;

        public static FileDescriptor OpenDirectory(string path)
        {
            fixed (byte* bytes = Encoding.UTF8.GetBytes(path + "\0"))
            {
                return OpenAt(OpenFlags.AT_FDCWD, bytes);
            }
        }

        public static FileDescriptor OpenAt(int directory, byte* path) =>
            new(LinuxException.Check(Libc.OpenAt(directory, path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY), "openat"));

        public void Dispose() => _ = Libc.Close(Fd);
    }
}
