using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc.Client;

/// <summary>A connection to a server on a UNIX socket, for one call after another.</summary>
internal sealed class GrpcChannel : IDisposable
{
    private readonly HttpClient _http;

    private GrpcChannel(HttpClient http) => _http = http;

    /// <summary>Connects with the first call.</summary>
    public static GrpcChannel ForUnixSocket(string path)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = (_, cancellation) => ConnectAsync(path, cancellation),
            UseProxy = false,
        };
        return new GrpcChannel(new HttpClient(handler) { BaseAddress = new Uri("http://localhost"), Timeout = Timeout.InfiniteTimeSpan });
    }

    /// <exception cref="RpcException">The server refused, or could not be reached (<see cref="StatusCode.Unavailable"/>).</exception>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, TimeSpan? timeout = null, CancellationToken cancellation = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        TResponse? only = null;
        await foreach (TResponse response in StreamAsync(method, request, timeout, cancellation).ConfigureAwait(false))
        {
            only = response;
        }

        return only ?? throw new RpcException(new Status(StatusCode.Internal, "the server sent no message"));
    }

    /// <summary>The messages of a call as they come.</summary>
    /// <exception cref="RpcException">As in <see cref="CallAsync"/>, at the start or after some messages.</exception>
    public async IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method,
        TRequest request,
        TimeSpan? timeout = null,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using HttpRequestMessage message = ToHttp(method, request, timeout);
        using HttpResponseMessage response = await SendAsync(message, cancellation).ConfigureAwait(false);
        using ResponseReader<TResponse> reader = await ResponseReader<TResponse>.OpenAsync(response, method.ResponseParser, cancellation).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellation).ConfigureAwait(false) is { } next)
        {
            yield return next;
        }
    }

    public void Dispose() => _http.Dispose();

    private static HttpRequestMessage ToHttp<TRequest, TResponse>(Method<TRequest, TResponse> method, TRequest request, TimeSpan? timeout)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        System.Buffers.ArrayBufferWriter<byte> body = new();
        MessageFrame.Write(body, request, compress: false);
        ReadOnlyMemoryContent content = new(body.WrittenMemory);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        HttpRequestMessage message = new(HttpMethod.Post, method.FullName)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        message.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        message.Headers.Add("grpc-accept-encoding", MessageFrame.AcceptedEncodings);
        if (timeout is { } span)
        {
            message.Headers.Add(GrpcTimeout.Header, GrpcTimeout.Format(span));
        }

        return message;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, CancellationToken cancellation)
    {
        try
        {
            return await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException unreachable)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, Explain(unreachable)))
            {
                IsUnreachable = unreachable.HttpRequestError == HttpRequestError.ConnectionError,
            };
        }
    }

    /// <summary>The runtime's texts are those of network addresses.</summary>
    private static string Explain(HttpRequestException unreachable) => (unreachable.InnerException as SocketException)?.SocketErrorCode switch
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
