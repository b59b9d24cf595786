using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Admin;

/// <summary>Says in statuses of gRPC how calls end that were interrupted, and keeps what services say within what clients accept.</summary>
internal sealed partial class CallInterceptor(AdminLimits limits, IHostApplicationLifetime lifetime, ILogger<CallInterceptor> log)
    : Interceptor
{
    /// <summary>Characters of a status's text: clients refuse headers of more than 8 KiB, and each may take three bytes.</summary>
    private const int DetailLengthMax = 1024;

    private static readonly WriteOptions Uncompressed = new(WriteFlags.NoCompress);

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        RunAsync(context, () => continuation(request, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        RunAsync(context, () => CompleteAsync(continuation(request, Limit(responseStream, context), context), context));

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        RunAsync(context, () => CompleteAsync(continuation(requestStream, Limit(responseStream, context), context), context));

    private PatientWriter<T> Limit<T>(IServerStreamWriter<T> writer, ServerCallContext context) =>
        new(writer, context.GetHttpContext(), limits.WritePatience);

    /// <summary>A stream that ends because it was interrupted is not complete, even if its service says so.</summary>
    private static async Task<bool> CompleteAsync(Task call, ServerCallContext context)
    {
        await call.ConfigureAwait(false);
        context.CancellationToken.ThrowIfCancellationRequested();
        return true;
    }

    private async Task<T> RunAsync<T>(ServerCallContext context, Func<Task<T>> call)
    {
        // Over a UNIX socket compressing costs more than it saves: only who compresses there wants it.
        HttpContext http = context.GetHttpContext();
        if (http.Connection.RemoteIpAddress is null && http.Request.Headers["grpc-encoding"] != Administration.Gzip)
        {
            context.WriteOptions = Uncompressed;
        }

        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (RpcException refused) when (refused.Status.Detail.Length > DetailLengthMax)
        {
            throw new RpcException(new Status(refused.StatusCode, refused.Status.Detail[..DetailLengthMax] + "..."), refused.Trailers);
        }
        catch (Exception interrupted) when (
            interrupted is OperationCanceledException or IOException && context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(lifetime.ApplicationStopping.IsCancellationRequested
                ? new Status(StatusCode.Unavailable, "the daemon is stopping")
                : Status.DefaultCancelled);
        }
        catch (Exception unexpected) when (unexpected is not RpcException)
        {
            LogUnexpected(log, unexpected, context.Method);
            throw new RpcException(new Status(StatusCode.Unknown, "the daemon failed in a way that it must not: its log says how"));
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, string method);
}
