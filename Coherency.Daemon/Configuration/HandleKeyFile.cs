using System.Security.Cryptography;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Configuration;

/// <summary>Keeps the key that seals clients' file handles from one start of the daemon to the next.</summary>
internal static class HandleKeyFile
{
    /// <summary>Reads the key; makes the file, which only the daemon's user can read, if there is none.</summary>
    /// <exception cref="UsageException">It does not hold a key.</exception>
    /// <exception cref="IOException">It can be neither read nor made.</exception>
    /// <exception cref="UnauthorizedAccessException">Not with these rights.</exception>
    public static byte[] ReadOrMake(string path)
    {
        if (!File.Exists(path))
        {
            Make(path);
        }

        byte[] key = File.ReadAllBytes(path);
        return key.Length == PassthroughOptions.HandleKeyBytes
            ? key
            : throw new UsageException(
                $"{path} does not hold a key of {PassthroughOptions.HandleKeyBytes} bytes: without it a new one is made, and the " +
                "handles that guests have are lost");
    }

    /// <summary>
    /// Under another name first, so that nobody finds half a key, and a file that another daemon has made meanwhile stays.
    /// </summary>
    private static void Make(string path)
    {
        string made = $"{path}.{Guid.NewGuid():N}";
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (FileStream file = new(made, options))
        {
            file.Write(RandomNumberGenerator.GetBytes(PassthroughOptions.HandleKeyBytes));
            file.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(made, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(made);
        }
    }
}
