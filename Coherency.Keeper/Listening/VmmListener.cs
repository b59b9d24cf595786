using System.Text;
using Coherency.Core.Linux;
using Coherency.Keeper.Options;

namespace Coherency.Keeper.Listening;

/// <summary>
/// The socket that one VMM connects to: inherited, or made with a pid file beside it that nobody else may have locked. Both files
/// stay when the program ends, as those of virtiofsd do.
/// </summary>
internal sealed unsafe class VmmListener : IDisposable
{
    private const int Backlog = 1;
    private const uint OwnerOnly = 0x180;
    private const uint MaskOthers = 0x3F;
    private const uint MaskWorld = 0x7;

    private readonly int _pidFileFd;
    private int _fd;

    private VmmListener(int fd, int pidFileFd, string path)
    {
        _fd = fd;
        _pidFileFd = pidFileFd;
        Path = path;
    }

    public int Fd => _fd;

    /// <summary>Where the socket is; empty when it has no name.</summary>
    public string Path { get; }

    /// <exception cref="RefusedException">It cannot be had.</exception>
    public static VmmListener Open(VirtiofsdOptions options) =>
        options.Fd is { } fd ? Inherit(fd) : Make(options.SocketPath!, options.SocketGroup);

    /// <summary>Takes the one connection and listens no more; -1 when it has gone again.</summary>
    public int Accept()
    {
        int connection = Libc.Accept(_fd);
        if (connection >= 0)
        {
            Close();
        }

        return connection;
    }

    public void Dispose()
    {
        Close();
        _ = _pidFileFd < 0 ? 0 : Libc.Close(_pidFileFd);
    }

    private void Close()
    {
        _ = _fd < 0 ? 0 : Libc.Close(_fd);
        _fd = -1;
    }

    private static VmmListener Inherit(int fd)
    {
        int result = Libc.GetSocketOption(fd, SocketFlags.SO_ACCEPTCONN, out int listens);
        if (result < 0 || listens == 0)
        {
            throw new RefusedException(
                RefusedException.Failed, $"--fd {fd} is no listening socket{(result < 0 ? $": {result.ToErrno()}" : "")}");
        }

        // The server, which is started later, has no business with it.
        _ = Libc.Fcntl(fd, LockFlags.F_SETFD, LockFlags.FD_CLOEXEC);
        _ = Libc.GetSocketName(fd, out sockaddr_un address);
        return new VmmListener(
            fd, -1, Encoding.UTF8.GetString(new ReadOnlySpan<byte>(address.sun_path, sockaddr_un.PathMax)).TrimEnd('\0'));
    }

    private static VmmListener Make(string path, string? group)
    {
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) ?? "";
        if (!Directory.Exists(folder))
        {
            throw new RefusedException(RefusedException.Failed, $"{folder} does not exist or is not a directory");
        }

        if (!sockaddr_un.TryMake(path, out sockaddr_un address))
        {
            throw new RefusedException(
                RefusedException.Failed, $"the socket's path {path} is empty or longer than {sockaddr_un.PathMax - 1} bytes");
        }

        uint? gid = group is null ? null : IdOf(group);
        int pidFile = WritePid($"{path}.pid");
        int fd = Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_STREAM, 0);
        try
        {
            File.Delete(path);
            Check(fd, "socket");
            uint mask = Libc.Umask(group is null ? MaskOthers : MaskWorld);
            int bound = Libc.Bind(fd, address);
            Libc.Umask(mask);
            Check(bound, $"cannot make the socket {path}");
            if (gid is { } id)
            {
                fixed (byte* start = Encoding.UTF8.GetBytes(path + '\0'))
                {
                    Check(
                        Libc.FChownAt(OpenFlags.AT_FDCWD, start, uint.MaxValue, id, OpenFlags.AT_SYMLINK_NOFOLLOW),
                        $"cannot give {path} to the group {group}");
                }
            }

            Check(Libc.Listen(fd, Backlog), $"cannot listen on {path}");
            return new VmmListener(fd, pidFile, path);
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException(RefusedException.Failed, unusable.Message);
        }
    }

    /// <summary>The lock on the file says that the process lives, and ends with it.</summary>
    private static int WritePid(string path)
    {
        fixed (byte* start = Encoding.UTF8.GetBytes(path + '\0'))
        {
            int fd = Libc.OpenAt(OpenFlags.AT_FDCWD, start, OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_NOFOLLOW, OwnerOnly);
            Check(fd, $"cannot make the pid file {path}");
            Errno locked = Libc.Flock(fd, LockFlags.LOCK_EX | LockFlags.LOCK_NB).ToErrno();
            if (locked != Errno.None)
            {
                throw new RefusedException(
                    RefusedException.Failed,
                    $"{path} is locked by another process that serves this socket: stop it or choose another path");
            }

            byte[] pid = Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n");
            fixed (byte* bytes = pid)
            {
                Check(Libc.FTruncate(fd, 0), $"cannot empty {path}");
                Check((int)Libc.Write(fd, bytes, (nuint)pid.Length), $"cannot write {path}");
            }

            return fd;
        }
    }

    private static uint IdOf(string group)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(group + '\0'))
        {
            return Libc.TryGetGroup(name, out uint gid) ? gid : throw new RefusedException(
                RefusedException.Failed, $"there is no group {group} (--socket-group)");
        }
    }

    private static void Check(int result, string what)
    {
        if (result < 0)
        {
            throw new RefusedException(RefusedException.Failed, new LinuxException(what, result.ToErrno()).Message);
        }
    }
}
