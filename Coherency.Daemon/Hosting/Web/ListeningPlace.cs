using System.Net;
using System.Net.Sockets;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Hosting.Web;

/// <summary>An address of the network where the web server is going to listen.</summary>
/// <param name="Bind">Makes the socket.</param>
internal sealed record ListeningPlace(IPEndPoint Address, Func<EndPoint, Socket> Bind)
{
    /// <summary>Null when nobody asks for it.</summary>
    /// <param name="asked">What an option says; null when it says nothing.</param>
    /// <param name="option">Which one, for messages.</param>
    /// <param name="activated">A socket that listens there already; null when none was passed.</param>
    /// <param name="parse">Judges an address, as text.</param>
    /// <exception cref="UsageException">The address makes no sense, or both are there.</exception>
    public static ListeningPlace? Of(string? asked, string option, Socket? activated, Func<string, IPEndPoint> parse)
    {
        if (activated is not null)
        {
            return asked is null
                ? new ListeningPlace(parse(activated.LocalEndPoint!.ToString()!), _ => activated)
                : throw new UsageException($"{option} {asked}: a socket was passed for it already (LISTEN_FDNAMES)");
        }

        return asked is null ? null : new ListeningPlace(parse(asked), endPoint => WebServer.Bind(endPoint, option));
    }
}
