using System.Net.Sockets;
using System.Text;

namespace Coherency.Daemon.Hosting;

/// <summary>Tells systemd about the daemon's state when it asked for it (sd_notify(3): NOTIFY_SOCKET is set).</summary>
internal static class SystemdNotifier
{
    public static void Notify(string state)
    {
        string? path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");
        if (string.IsNullOrEmpty(path))
        {
            return;
        }

        // A leading @ stands for the NUL of an abstract socket.
        string address = path[0] == '@' ? '\0' + path[1..] : path;
        try
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(address));
        }
        catch (SocketException unreachable)
        {
            Console.Error.WriteLine($"coherencyd: cannot notify systemd at {path}: {unreachable.Message}");
        }
    }
}
