using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc.Client;

/// <summary>Takes messages out of the body of a response, and the status that follows them.</summary>
internal sealed class ResponseReader<T> : IDisposable
    where T : class, IMessage<T>
{
    private readonly HttpResponseMessage _response;
    private readonly MessageParser<T> _parser;
    private readonly Stream _stream;
    private readonly PipeReader _body;
    private readonly string _encoding;

    private ResponseReader(HttpResponseMessage response, MessageParser<T> parser, Stream stream)
    {
        _response = response;
        _parser = parser;
        _stream = stream;
        _body = PipeReader.Create(stream);
        _encoding = Find(response.Headers, "grpc-encoding") ?? MessageFrame.Identity;
    }

    /// <exception cref="RpcException">It is no gRPC server.</exception>
    public static async Task<ResponseReader<T>> OpenAsync(HttpResponseMessage response, MessageParser<T> parser, CancellationToken cancellation)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new RpcException(new Status(StatusCode.Unknown, $"the server answered with HTTP status {(int)response.StatusCode}"));
        }

        return new ResponseReader<T>(response, parser, await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false));
    }

    /// <summary>The next message; null when the call has ended well.</summary>
    /// <exception cref="RpcException">The call has ended otherwise.</exception>
    public async Task<T?> ReadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            ReadResult result = await FillAsync(cancellation).ConfigureAwait(false);
            ReadOnlySequence<byte> rest = result.Buffer;
            if (MessageFrame.TryRead(ref rest, _encoding, _parser, out T? message))
            {
                _body.AdvanceTo(rest.Start);
                return message;
            }

            _body.AdvanceTo(rest.Start, rest.End);
            if (result.IsCompleted)
            {
                ThrowUnlessOk();
                return rest.IsEmpty ? null : throw new RpcException(new Status(StatusCode.Internal, "the response ends within a message"));
            }
        }
    }

    public void Dispose()
    {
        _body.Complete();
        _stream.Dispose();
    }

    private async Task<ReadResult> FillAsync(CancellationToken cancellation)
    {
        try
        {
            return await _body.ReadAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is HttpIOException or IOException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, $"the connection ended: {broken.Message}"));
        }
    }

    /// <summary>The status is in the trailers, or in the headers of a response without a body.</summary>
    private void ThrowUnlessOk()
    {
        HttpResponseHeaders headers = Find(_response.TrailingHeaders, "grpc-status") is null ? _response.Headers : _response.TrailingHeaders;
        if (!int.TryParse(Find(headers, "grpc-status"), NumberStyles.None, CultureInfo.InvariantCulture, out int code))
        {
            throw new RpcException(new Status(StatusCode.Unknown, "the server did not say how the call ended"));
        }

        if (code != (int)StatusCode.OK)
        {
            StatusCode known = code <= (int)StatusCode.Unauthenticated ? (StatusCode)code : StatusCode.Unknown;
            throw new RpcException(new Status(known, PercentEncoding.Decode(Find(headers, "grpc-message") ?? "")));
        }
    }

    private static string? Find(HttpResponseHeaders headers, string name) =>
        headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : null;
}
