using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Admin.Listening;

/// <summary>Where the administration is going to listen, checked before anything is started.</summary>
internal sealed class AdminAddresses(string? socket, TlsListener? network)
{
    /// <summary>A path has to fit into sun_path with its NUL (unix(7)).</summary>
    private const int SocketPathBytesMax = 107;

    /// <summary>Path of the UNIX socket, which is free; or null.</summary>
    public string? Socket { get; } = socket;

    /// <summary>On the network; or null.</summary>
    public TlsListener? Network { get; } = network;

    /// <summary>Why there is no socket, though none was forbidden; null when there is one.</summary>
    public string? WithoutSocketBecause { get; private init; }

    /// <summary>Nobody asked for administration: the daemon can do without.</summary>
    public bool IsOptional { get; private init; }

    public bool Any => Socket is not null || Network is not null;

    public override string ToString() =>
        string.Join(" and ", ((string?[])[Socket, Network is null ? null : $"{Network.EndPoint} with TLS"]).Where(address => address is not null));

    /// <exception cref="UsageException">What was asked for cannot be had.</exception>
    public static AdminAddresses Of(AdminConfiguration configuration)
    {
        TlsListener? network = TlsListener.Of(configuration);
        if (!configuration.Enabled)
        {
            return new AdminAddresses(null, null);
        }

        if (configuration.Socket is { } given)
        {
            string path = Path.GetFullPath(given);
            string? inUse = Prepare(path);
            return inUse is null ? new AdminAddresses(path, network) : throw new UsageException(inUse);
        }

        string? standard = AdminConfiguration.DefaultSocket();
        string? why = standard is null ? "XDG_RUNTIME_DIR does not say where its socket may be" : PrepareStandard(standard);
        return new AdminAddresses(why is null ? standard : null, network) { WithoutSocketBecause = why, IsOptional = network is null };
    }

    private static string? PrepareStandard(string path)
    {
        try
        {
            return Prepare(path);
        }
        catch (UsageException impossible)
        {
            return impossible.Message;
        }
    }

    private static string? Prepare(string path)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > SocketPathBytesMax)
        {
            throw new UsageException($"--admin-socket {path} is longer than the {SocketPathBytesMax} bytes that a socket's path can have");
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return AdminSocket.Free(path);
        }
        catch (Exception impossible) when (impossible is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            throw new UsageException($"--admin-socket {path} cannot be used: {impossible.Message}");
        }
    }
}
