using Coherency.Daemon.Reports;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Coherency.Daemon.Dashboard;

/// <summary>Writes messages as JSON, and refusals as text.</summary>
internal static class DashboardAnswers
{
    public static Task WriteAsync(HttpContext context, IMessage answer)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(MessageJson.Format(answer), context.RequestAborted);
    }

    public static Task RefuseAsync(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(why, context.RequestAborted);
    }

    /// <summary>As gateways from HTTP to gRPC do it.</summary>
    public static Task RefuseAsync(HttpContext context, Status refusal) => RefuseAsync(
        context,
        refusal.StatusCode switch
        {
            StatusCode.NotFound => StatusCodes.Status404NotFound,
            StatusCode.InvalidArgument or StatusCode.FailedPrecondition => StatusCodes.Status400BadRequest,
            _ => StatusCodes.Status500InternalServerError,
        },
        refusal.Detail);
}
