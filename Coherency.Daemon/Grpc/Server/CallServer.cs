using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>Carries calls out and tells their clients how they ended.</summary>
/// <param name="stopping">Ends all calls.</param>
internal sealed partial class CallServer(CallLimits limits, ILogger log, CancellationToken stopping)
{
    private const string ContentType = "application/grpc";

    private int _calls;

    /// <summary>Answers one request for a method; null for one that there is not.</summary>
    public async Task ServeAsync(HttpContext http, MethodHandler? handler)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol))
        {
            http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            return;
        }

        if (!IsGrpc(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        http.Response.ContentType = ContentType;
        using GrpcCall call = new(http, limits, stopping);
        try
        {
            Status status = await RunAsync(call, handler).ConfigureAwait(false);
            await EndAsync(call, status).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _calls);
        }
    }

    private async Task<Status> RunAsync(GrpcCall call, MethodHandler? handler)
    {
        if (Interlocked.Increment(ref _calls) > limits.CallsMax)
        {
            return new Status(StatusCode.ResourceExhausted, $"{limits.CallsMax} calls are under way: try again later");
        }

        try
        {
            call.Begin();
            if (handler is null)
            {
                return new Status(StatusCode.Unimplemented, $"{call.Method} is no method here: ask the reflection service for those that are");
            }

            await handler.RunAsync(call).ConfigureAwait(false);
            return call.Status;
        }
        catch (Exception failure)
        {
            return Explain(call, failure);
        }
    }

    private Status Explain(GrpcCall call, Exception failure)
    {
        if (stopping.IsCancellationRequested)
        {
            return new Status(StatusCode.Unavailable, "the daemon is stopping");
        }

        if (call.IsPastDeadline)
        {
            return new Status(StatusCode.DeadlineExceeded, "the deadline has passed");
        }

        switch (failure)
        {
            case RpcException refused:
                return refused.Status;
            case OperationCanceledException or IOException or BadHttpRequestException:
                return Status.DefaultCancelled;
            default:
                LogUnexpected(log, failure, call.Method);
                return new Status(StatusCode.Unknown, "the daemon failed in a way that it must not: its log says how");
        }
    }

    private static async Task EndAsync(GrpcCall call, Status status)
    {
        if (call.IsAborted || call.Http.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        HttpResponse response = call.Http.Response;
        if (!response.HasStarted && status.StatusCode != StatusCode.OK)
        {
            WriteEnd(call, status, (name, value) => response.Headers.Append(name, value));
        }
        else
        {
            if (!response.HasStarted)
            {
                await response.StartAsync().ConfigureAwait(false);
            }

            WriteEnd(call, status, (name, value) => response.AppendTrailer(name, value));
        }

        try
        {
            await response.CompleteAsync().WaitAsync(call.Limits.WritePatience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            call.AbortForNotReading();
        }
    }

    private static void WriteEnd(GrpcCall call, Status status, Action<string, string> write)
    {
        write("grpc-status", ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture));
        if (status.Detail.Length > 0)
        {
            write("grpc-message", PercentEncoding.Encode(Shorten(status.Detail)));
        }

        foreach (Metadata.Entry entry in call.ResponseTrailers)
        {
            write(entry.Key, MetadataHeaders.Format(entry));
        }
    }

    private static string Shorten(string detail) =>
        detail.Length <= MessageLimits.DetailLengthMax ? detail : detail[..MessageLimits.DetailLengthMax] + "...";

    /// <summary>Also with a suffix that names the message format, if it is ours; not grpc-web.</summary>
    private static bool IsGrpc(string? contentType)
    {
        string type = contentType?.Split(';')[0].Trim() ?? "";
        return type.Equals(ContentType, StringComparison.OrdinalIgnoreCase)
            || type.Equals(ContentType + "+proto", StringComparison.OrdinalIgnoreCase);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, string method);
}
