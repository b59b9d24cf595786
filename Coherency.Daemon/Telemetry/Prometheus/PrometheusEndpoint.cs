using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Coherency.Daemon.Telemetry.Prometheus;

/// <summary>What a Prometheus scrapes.</summary>
internal sealed class PrometheusEndpoint(PrometheusReader reader)
{
    private const string Path = "/metrics";
    private const string OpenMetrics = "application/openmetrics-text";
    private const string PlainContentType = "text/plain; version=0.0.4; charset=utf-8";
    private const string OpenMetricsContentType = $"{OpenMetrics}; version=1.0.0; charset=utf-8";

    /// <summary>Lets GET /metrics be answered.</summary>
    public void MapTo(IEndpointRouteBuilder endpoints) => endpoints.MapGet(Path, (RequestDelegate)AnswerAsync);

    /// <summary>Writes all metrics as they are now.</summary>
    /// <param name="isOpenMetrics">Otherwise version 0.0.4 of the text format.</param>
    public async Task WriteAsync(Stream stream, bool isOpenMetrics, CancellationToken cancellation) =>
        await stream.WriteAsync(Encoding.UTF8.GetBytes(reader.Read(isOpenMetrics)), cancellation).ConfigureAwait(false);

    private Task AnswerAsync(HttpContext context)
    {
        bool isOpenMetrics = context.Request.Headers.Accept.ToString().Contains(OpenMetrics, StringComparison.OrdinalIgnoreCase);
        context.Response.ContentType = isOpenMetrics ? OpenMetricsContentType : PlainContentType;
        return WriteAsync(context.Response.Body, isOpenMetrics, context.RequestAborted);
    }
}
