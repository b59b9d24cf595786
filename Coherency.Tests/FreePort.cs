using System.Net;
using System.Net.Sockets;

namespace Coherency.Tests;

/// <summary>A port of the loopback on which nobody listens now, for programs that cannot choose one and tell.</summary>
internal static class FreePort
{
    public static int Find()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
