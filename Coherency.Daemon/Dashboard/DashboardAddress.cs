using System.Net;
using Coherency.Daemon.Commands;

namespace Coherency.Daemon.Dashboard;

/// <summary>Where the dashboard listens: a port of a loopback address.</summary>
internal static class DashboardAddress
{
    /// <summary>Reads <c>PORT</c> or <c>ADDRESS:PORT</c>; port 0 is any that is free.</summary>
    /// <exception cref="UsageException">It is neither, or the address is not the loopback's.</exception>
    public static IPEndPoint Parse(string text)
    {
        string full = text.All(char.IsAsciiDigit) ? $"127.0.0.1:{text}" : text.Replace("localhost:", "127.0.0.1:", StringComparison.OrdinalIgnoreCase);
        if (!IPEndPoint.TryParse(full, out IPEndPoint? address) || !full.EndsWith($":{address.Port}", StringComparison.Ordinal))
        {
            throw new UsageException($"--dashboard {text}: a port, 0 to {IPEndPoint.MaxPort}, is right");
        }

        return IPAddress.IsLoopback(address.Address)
            ? address
            : throw new UsageException($"--dashboard {text}: only a loopback address is possible. From elsewhere, use: ssh -L {address.Port}:127.0.0.1:{address.Port} HOST");
    }
}
