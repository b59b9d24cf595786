using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Daemon.Telemetry.Prometheus;

/// <summary>What a Prometheus scrapes.</summary>
internal static class PrometheusEndpoint
{
    public const string Path = "/metrics";

    private const string OpenMetrics = "application/openmetrics-text";
    private const string PlainContentType = "text/plain; version=0.0.4; charset=utf-8";
    private const string OpenMetricsContentType = $"{OpenMetrics}; version=1.0.0; charset=utf-8";

    /// <summary>Writes all metrics as they are now: OpenMetrics for who accepts it, or version 0.0.4 of the text format.</summary>
    public static async Task AnswerAsync(HttpContext context)
    {
        PrometheusReader reader = context.RequestServices.GetRequiredService<PrometheusReader>();
        bool isOpenMetrics = context.Request.Headers.Accept.ToString().Contains(OpenMetrics, StringComparison.OrdinalIgnoreCase);
        context.Response.ContentType = isOpenMetrics ? OpenMetricsContentType : PlainContentType;
        await context.Response.Body.WriteAsync(
            Encoding.UTF8.GetBytes(reader.Read(isOpenMetrics)), context.RequestAborted).ConfigureAwait(false);
    }
}
