using System.IO.Pipelines;
using Google.Protobuf;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>Puts messages into the body of a response, one at a time.</summary>
internal sealed class MessageWriter<T>(GrpcCall call) : IServerStreamWriter<T>
    where T : class, IMessage<T>
{
    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        PipeWriter body = call.Http.Response.BodyWriter;
        MessageFrame.Write(body, message, call.CompressesResponses);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, call.CancellationToken);
        patience.CancelAfter(call.Limits.WritePatience);
        try
        {
            await body.FlushAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && !call.CancellationToken.IsCancellationRequested)
        {
            call.AbortForNotReading();
            throw;
        }
    }
}
