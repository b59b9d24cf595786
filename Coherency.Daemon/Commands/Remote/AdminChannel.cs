using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;

namespace Coherency.Daemon.Commands.Remote;

/// <summary>A connection to a daemon on its UNIX socket.</summary>
internal static class AdminChannel
{
    /// <summary>Connects with the first call.</summary>
    public static GrpcChannel Open(string socket) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = (_, cancellation) => ConnectAsync(socket, cancellation),
            UseProxy = false,
        },
        DisposeHttpClient = true,
    });

    /// <summary>Why no daemon has seen the call; null when one has. The runtime's texts are those of network addresses.</summary>
    public static string? WhyUnreachable(RpcException failure) =>
        failure.Status.DebugException is not HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } unreachable ? null
        : (unreachable.InnerException as SocketException)?.SocketErrorCode switch
        {
            SocketError.AddressNotAvailable => "there is no such socket",
            SocketError.ConnectionRefused => "nobody listens there",
            SocketError.AccessDenied => "this user may not open it",
            _ => (unreachable.InnerException ?? unreachable).Message,
        };

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellation)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
