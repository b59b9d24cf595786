using System.Net.Sockets;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using Microsoft.Win32.SafeHandles;

namespace Coherency.Daemon.Admin.Listening;

/// <summary>The UNIX socket of the administration: who may open it may steer the daemon, so that is its own user alone.</summary>
internal static unsafe class AdminSocket
{
    private const int Backlog = 512;

    /// <summary>Makes the place free: removes what a daemon that was killed has left there.</summary>
    /// <exception cref="UsageException">There is something that is not ours to remove, or a daemon that lives listens there.</exception>
    public static void Free(string path)
    {
        if (!TryStat(path, out statx found))
        {
            return;
        }

        if ((found.stx_mode & StatFlags.S_IFMT) != StatFlags.S_IFSOCK)
        {
            throw new UsageException($"--admin-socket {path} exists and is no socket: remove it or choose another path");
        }

        if (found.stx_uid != Libc.GetEUid())
        {
            throw new UsageException(
                $"--admin-socket {path} belongs to user {found.stx_uid}, this daemon runs as {Libc.GetEUid()}: choose another path");
        }

        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            throw new UsageException($"--admin-socket {path} is in use by another daemon: stop it or choose another path");
        }
        catch (SocketException nobody) when (nobody.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
    }

    /// <summary>A socket at the path that only its user can open, from the first moment on.</summary>
    public static Socket Bind(UnixDomainSocketEndPoint endPoint)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using (SafeFileHandle handle = new(socket.Handle, ownsHandle: false))
            {
                // The file gets the mode that the socket has when it is bound (unix(7) of Linux).
                File.SetUnixFileMode(handle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            socket.Bind(endPoint);
            socket.Listen(Backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static bool TryStat(string path, out statx found)
    {
        // SAFETY: the array is pinned, and ends with a NUL.
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(path + '\0'))
        {
            int result = Libc.Statx(OpenFlags.AT_FDCWD, name, OpenFlags.AT_SYMLINK_NOFOLLOW, StatFlags.STATX_BASIC_STATS, out found);
            return result == 0;
        }
    }
}
