using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Daemon.Configuration;

/// <summary>Files that hold what was written last or what was before it, whatever happens meanwhile.</summary>
internal static unsafe class AtomicFile
{
    /// <summary>Writes the whole of a file. What is left of an attempt that was cut short is overwritten by the next.</summary>
    /// <param name="outlivesTheHost">It is on the disk when this returns; otherwise it counts for as long as the host runs.</param>
    /// <exception cref="IOException">It cannot be written: the file is as it was.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, bool outlivesTheHost)
    {
        string next = path + ".new";
        using (FileStream file = new(next, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }))
        {
            file.Write(content);
            file.Flush(outlivesTheHost);
        }

        File.Move(next, path, overwrite: true);
        if (outlivesTheHost)
        {
            SynchronizeFolder(Path.GetDirectoryName(path)!);
        }
    }

    /// <summary>A name is in its folder's data, not in the file's.</summary>
    private static void SynchronizeFolder(string folder)
    {
        // SAFETY: the array is pinned, and ends with a NUL.
        fixed (byte* name = Encoding.UTF8.GetBytes(folder + '\0'))
        {
            int fd = LinuxException.Check(
                Libc.OpenAt(OpenFlags.AT_FDCWD, name, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY), $"cannot open {folder}");
            int written = Libc.Fsync(fd);
            _ = Libc.Close(fd);
            LinuxException.Check(written, $"cannot write {folder} to the disk");
        }
    }
}
