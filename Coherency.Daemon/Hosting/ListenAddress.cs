using System.Net;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Hosting;

/// <summary>Reads where a daemon is to listen, as options name it.</summary>
internal static class ListenAddress
{
    /// <summary>Reads <c>PORT</c>, of the loopback, or <c>ADDRESS:PORT</c>; port 0 is any that is free.</summary>
    /// <exception cref="UsageException">It is neither.</exception>
    public static IPEndPoint Parse(string text, string option)
    {
        string full = text.All(char.IsAsciiDigit) ? $"127.0.0.1:{text}" : text.Replace(
            "localhost:", "127.0.0.1:", StringComparison.OrdinalIgnoreCase);
        return IPEndPoint.TryParse(full, out IPEndPoint? address) && full.EndsWith($":{address.Port}", StringComparison.Ordinal)
            ? address
            : throw new UsageException($"{option} {text}: a port, 0 to {IPEndPoint.MaxPort}, is right");
    }
}
