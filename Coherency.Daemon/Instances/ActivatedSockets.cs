using System.Globalization;
using System.Net.Sockets;
using Coherency.Core.Linux;
using Coherency.Daemon.Configuration;
using SocketFlags = Coherency.Core.Linux.SocketFlags;

namespace Coherency.Daemon.Instances;

/// <summary>
/// Sockets that listen already when the daemon starts, as systemd passes them (sd_listen_fds(3)): who connects first has it started.
/// They are systemd's, and stay when the daemon ends. What each is for, its unit says by FileDescriptorName=.
/// </summary>
internal sealed class ActivatedSockets : IDisposable
{
    private const int FirstFd = 3;

    private static readonly string[] Known = ["attach", "admin", "dashboard", "metrics"];

    private readonly Dictionary<string, int> _fds;

    private ActivatedSockets(Dictionary<string, int> fds)
    {
        _fds = fds;
        Admin = Stream("admin", AddressFamily.Unix);
        Dashboard = Stream("dashboard", AddressFamily.InterNetwork, AddressFamily.InterNetworkV6);
        Metrics = Stream("metrics", AddressFamily.InterNetwork, AddressFamily.InterNetworkV6);
    }

    /// <summary>Where keepers connect, a SOCK_SEQPACKET one; null when there is none.</summary>
    public int? Attach => _fds.TryGetValue("attach", out int fd) ? fd : null;

    public Socket? Admin { get; }

    public Socket? Dashboard { get; }

    public Socket? Metrics { get; }

    /// <summary>Takes over what was passed, once: programs that this one starts are not told of it.</summary>
    /// <exception cref="UsageException">One of them is not what its name says.</exception>
    public static ActivatedSockets Take()
    {
        string? process = Take("LISTEN_PID"), count = Take("LISTEN_FDS"), names = Take("LISTEN_FDNAMES");
        bool isForThis = process == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        if (!isForThis || !int.TryParse(count, CultureInfo.InvariantCulture, out int passed) || passed <= 0)
        {
            return new ActivatedSockets([]);
        }

        string[] said = (names ?? "").Split(':');
        Dictionary<string, int> fds = [];
        for (int i = 0; i < passed; i++)
        {
            string name = i < said.Length ? said[i] : "";
            _ = Libc.Fcntl(FirstFd + i, LockFlags.F_SETFD, LockFlags.FD_CLOEXEC);
            if (!Known.Contains(name))
            {
                throw new UsageException(
                    $"LISTEN_FDNAMES: a socket was passed as '{name}': {string.Join(", ", Known)} are known (FileDescriptorName= of its " +
                    "unit)");
            }

            if (!fds.TryAdd(name, FirstFd + i))
            {
                throw new UsageException($"LISTEN_FDNAMES: two sockets were passed as '{name}': there can be one");
            }

            CheckListens(name, FirstFd + i, name == "attach" ? SocketFlags.SOCK_SEQPACKET : SocketFlags.SOCK_STREAM);
        }

        return new ActivatedSockets(fds);
    }

    public void Dispose()
    {
        foreach (Socket? socket in (Socket?[])[Admin, Dashboard, Metrics])
        {
            socket?.Dispose();
        }
    }

    private static string? Take(string variable)
    {
        string? value = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, null);
        return value;
    }

    private static void CheckListens(string name, int fd, int type)
    {
        int asked = Libc.GetSocketOption(fd, SocketFlags.SO_ACCEPTCONN, out int listens);
        if (asked < 0 || listens == 0 || Libc.GetSocketOption(fd, SocketFlags.SO_TYPE, out int present) < 0 || present != type)
        {
            string right = type == SocketFlags.SOCK_SEQPACKET ? "ListenSequentialPacket=" : "ListenStream=";
            throw new UsageException($"LISTEN_FDNAMES: what was passed as '{name}' is no listening socket of the right kind ({right})");
        }
    }

    private Socket? Stream(string name, params AddressFamily[] families)
    {
        if (!_fds.TryGetValue(name, out int fd))
        {
            return null;
        }

        Socket socket = new(new SafeSocketHandle(fd, ownsHandle: true));
        return families.Contains(socket.AddressFamily)
            ? socket
            : throw new UsageException(
                $"LISTEN_FDNAMES: what was passed as '{name}' listens at {socket.LocalEndPoint}: a {(families.Contains(AddressFamily.Unix)
                    ? "UNIX socket" : "port of the network")} is right");
    }
}
