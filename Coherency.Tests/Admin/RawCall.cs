using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;

namespace Coherency.Tests.Admin;

/// <summary>A request of any bytes to a gRPC server, and what came back: what no proper client would send.</summary>
internal sealed class RawCall(string socket) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            Socket connection = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellation);
            return new NetworkStream(connection, ownsSocket: true);
        },
    });

    /// <summary>The status that the server gave, in its trailers or headers; the HTTP status when it gave none.</summary>
    public sealed record Answer(string? Status, string? Message, HttpStatusCode HttpStatus, byte[] Body, HttpResponseMessage Response);

    public Task<Answer> SendAsync(
        string path, byte[] body, string contentType = "application/grpc", params (string Name, string Value)[] headers) =>
        SendAsync(path, new ByteArrayContent(body), contentType, headers);

    public async Task<Answer> SendAsync(
        string path, HttpContent body, string contentType = "application/grpc", params (string Name, string Value)[] headers)
    {
        HttpRequestMessage request = new(HttpMethod.Post, "http://localhost" + path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body,
        };
        request.Content.Headers.TryAddWithoutValidation("content-type", contentType);
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        HttpResponseMessage response = await _http.SendAsync(request);
        byte[] received = await response.Content.ReadAsByteArrayAsync();
        return new Answer(Find(response, "grpc-status"), Find(response, "grpc-message"), response.StatusCode, received, response);
    }

    /// <summary>A message behind its length.</summary>
    public static byte[] Frame(byte[] message, byte flag = 0)
    {
        byte[] frame = [flag, 0, 0, 0, 0, .. message];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)message.Length);
        return frame;
    }

    public static byte[] Compress(byte[] bytes)
    {
        using MemoryStream compressed = new();
        using (GZipStream gzip = new(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(bytes);
        }

        return compressed.ToArray();
    }

    public static byte[] Decompress(byte[] bytes)
    {
        using GZipStream gzip = new(new MemoryStream(bytes), CompressionMode.Decompress);
        using MemoryStream plain = new();
        gzip.CopyTo(plain);
        return plain.ToArray();
    }

    public void Dispose() => _http.Dispose();

    private static string? Find(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out IEnumerable<string>? trailers) ? trailers.First()
        : response.Headers.TryGetValues(name, out IEnumerable<string>? headers) ? headers.First() : null;
}
