using System.Buffers;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>Takes messages out of the body of a request.</summary>
internal sealed class MessageReader<T>(GrpcCall call, MessageParser<T> parser) : IAsyncStreamReader<T>
    where T : class, IMessage<T>
{
    private T? _current;

    public T Current => _current ?? throw new InvalidOperationException("there is no message: MoveNext comes first");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        PipeReader body = call.Http.Request.BodyReader;
        while (true)
        {
            ReadResult result = await body.ReadAsync(cancellationToken).ConfigureAwait(false);
            ReadOnlySequence<byte> rest = result.Buffer;
            if (MessageFrame.TryRead(ref rest, call.RequestEncoding, parser, out _current))
            {
                body.AdvanceTo(rest.Start);
                return true;
            }

            body.AdvanceTo(rest.Start, rest.End);
            if (result.IsCompleted)
            {
                return rest.IsEmpty ? false : throw new RpcException(new Status(StatusCode.Internal, "the request ends within a message"));
            }
        }
    }

    /// <summary>The message of a method that takes exactly one (statuscodes.md has the code for anything else).</summary>
    public async Task<T> ReadOnlyOneAsync()
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(call.CancellationToken);
        patience.CancelAfter(call.Limits.ReadPatience);
        if (!await MoveNext(patience.Token).ConfigureAwait(false))
        {
            throw new RpcException(new Status(StatusCode.Unimplemented, "the request holds no message: this method takes one"));
        }

        T only = Current;
        return await MoveNext(patience.Token).ConfigureAwait(false)
            ? throw new RpcException(new Status(StatusCode.Unimplemented, "the request holds several messages: this method takes one"))
            : only;
    }
}
