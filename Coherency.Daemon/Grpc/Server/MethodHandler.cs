using Google.Protobuf;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>Carries out the calls of one method.</summary>
internal abstract class MethodHandler(string path)
{
    /// <summary>As <c>/package.Service/Method</c>.</summary>
    public string Path { get; } = path;

    public abstract Task RunAsync(GrpcCall call);
}

internal sealed class UnaryHandler<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse> handler)
    : MethodHandler(method.FullName)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override async Task RunAsync(GrpcCall call)
    {
        TRequest request = await new MessageReader<TRequest>(call, method.RequestParser).ReadOnlyOneAsync().ConfigureAwait(false);
        TResponse response = await handler(request, call).ConfigureAwait(false);
        if (call.Status.StatusCode == StatusCode.OK)
        {
            await new MessageWriter<TResponse>(call).WriteAsync(response, call.CancellationToken).ConfigureAwait(false);
        }
    }
}

internal sealed class ServerStreamingHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse> handler)
    : MethodHandler(method.FullName)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override async Task RunAsync(GrpcCall call)
    {
        TRequest request = await new MessageReader<TRequest>(call, method.RequestParser).ReadOnlyOneAsync().ConfigureAwait(false);
        await handler(request, new MessageWriter<TResponse>(call), call).ConfigureAwait(false);
    }
}

internal sealed class DuplexStreamingHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse> handler)
    : MethodHandler(method.FullName)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override Task RunAsync(GrpcCall call) =>
        handler(new MessageReader<TRequest>(call, method.RequestParser), new MessageWriter<TResponse>(call), call);
}
