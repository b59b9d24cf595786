using System.Net.Sockets;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Instances;

namespace Coherency.Daemon.Admin.Listening;

/// <summary>
/// Where the administration is going to listen, checked before anything is started. Its socket is there from then on, and goes
/// when this is disposed of.
/// </summary>
internal sealed class AdminAddresses(Socket? socket, TlsListener? network) : IDisposable
{
    /// <summary>A path has to fit into sun_path with its NUL (unix(7)).</summary>
    private const int SocketPathBytesMax = 107;

    /// <summary>A UNIX socket that is listened on; or null.</summary>
    public Socket? Socket { get; } = socket;

    /// <summary>On the network; or null.</summary>
    public TlsListener? Network { get; } = network;

    /// <summary>Why there is no socket, though none was forbidden; null when there is one.</summary>
    public string? WithoutSocketBecause { get; private init; }

    public bool Any => Socket is not null || Network is not null;

    public override string ToString() =>
        string.Join(
            " and ",
            ((string?[])[Socket?.LocalEndPoint?.ToString(), Network is null ? null : $"{Network.EndPoint} with TLS"]).Where(
                address => address is not null));

    /// <param name="instance">The daemon's folder, where its socket is unless it is said otherwise; null when it has none.</param>
    /// <param name="withoutInstance">Why it has none.</param>
    /// <param name="activated">A socket that listens already, taken over; null when none was passed.</param>
    /// <exception cref="UsageException">What was asked for cannot be had.</exception>
    public static AdminAddresses Of(AdminConfiguration configuration, InstanceFolder? instance, string withoutInstance, Socket? activated)
    {
        TlsListener? network = TlsListener.Of(configuration);
        if (!configuration.Enabled)
        {
            return new AdminAddresses(null, null);
        }

        if (activated is not null)
        {
            return configuration.Socket is null
                ? new AdminAddresses(activated, network)
                : throw new UsageException($"--admin-socket {configuration.Socket}: the socket was passed already (LISTEN_FDNAMES)");
        }

        if (configuration.Socket is { } given)
        {
            return new AdminAddresses(Listen(Path.GetFullPath(given)), network);
        }

        // Nobody asked for this one: the daemon can do without.
        string why = withoutInstance;
        try
        {
            if (instance is not null)
            {
                return new AdminAddresses(Listen(instance.AdminSocket), network);
            }
        }
        catch (UsageException impossible)
        {
            why = impossible.Message;
        }

        return new AdminAddresses(null, network) { WithoutSocketBecause = why };
    }

    public void Dispose() => Socket?.Dispose();

    private static Socket Listen(string path)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > SocketPathBytesMax)
        {
            throw new UsageException($"--admin-socket {path} is longer than the {SocketPathBytesMax} bytes that a socket's path can have");
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AdminSocket.Free(path);
            return AdminSocket.Bind(new UnixDomainSocketEndPoint(path));
        }
        catch (Exception impossible) when (impossible is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new UsageException($"--admin-socket {path} cannot be used: {impossible.Message}");
        }
    }
}
