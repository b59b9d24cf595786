using System.Net;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;

namespace Coherency.Daemon.Dashboard;

/// <summary>Where the dashboard listens: a port of a loopback address.</summary>
internal static class DashboardAddress
{
    public const string Option = "--dashboard";

    /// <summary>Reads <c>PORT</c> or <c>ADDRESS:PORT</c>; port 0 is any that is free.</summary>
    /// <exception cref="UsageException">It is neither, or the address is not the loopback's.</exception>
    public static IPEndPoint Parse(string text)
    {
        IPEndPoint address = ListenAddress.Parse(text, Option);
        return IPAddress.IsLoopback(address.Address)
            ? address
            : throw new UsageException(
                $"{Option} {text}: only a loopback address is possible. From elsewhere, use: ssh -L " +
                $"{address.Port}:127.0.0.1:{address.Port} HOST");
    }
}
