using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Admin.Listening;

/// <summary>Where the administration is going to listen, checked before anything is started.</summary>
internal sealed partial class AdminAddresses(string? socket, TlsListener? network, bool isAskedFor)
{
    /// <summary>A path has to fit into sun_path with its NUL (unix(7)).</summary>
    private const int SocketPathBytesMax = 107;

    /// <summary>Path of the UNIX socket, which is free; or null.</summary>
    public string? Socket { get; } = socket;

    /// <summary>On the network; or null.</summary>
    public TlsListener? Network { get; } = network;

    /// <summary>Somebody said where; otherwise the daemon can do without.</summary>
    public bool IsAskedFor { get; } = isAskedFor;

    public bool Any => Socket is not null || Network is not null;

    public override string ToString() =>
        string.Join(" and ", ((string?[])[Socket, Network is null ? null : $"{Network.EndPoint} with TLS"]).Where(address => address is not null));

    /// <exception cref="UsageException">What was asked for cannot be had.</exception>
    public static AdminAddresses Of(AdminConfiguration configuration, ILogger log)
    {
        TlsListener? network = TlsListener.Of(configuration);
        return configuration.Enabled
            ? new AdminAddresses(FindSocket(configuration, log), network, configuration.Socket is not null || network is not null)
            : new AdminAddresses(null, null, isAskedFor: false);
    }

    private static string? FindSocket(AdminConfiguration configuration, ILogger log)
    {
        if (configuration.Socket is { } given)
        {
            string path = Path.GetFullPath(given);
            string? inUse = Prepare(path);
            return inUse is null ? path : throw new UsageException(inUse);
        }

        if (AdminConfiguration.DefaultSocket() is not { } standard)
        {
            LogNoPlace(log);
            return null;
        }

        string? why = PrepareStandard(standard);
        if (why is not null)
        {
            LogWithout(log, why);
        }

        return why is null ? standard : null;
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "No administration: {Why}; give --admin-socket PATH to have it, or --no-admin")]
    public static partial void LogWithout(ILogger log, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No administration: XDG_RUNTIME_DIR does not say where its socket may be; give --admin-socket PATH to have it, or --no-admin")]
    private static partial void LogNoPlace(ILogger log);
}
