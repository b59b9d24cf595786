using System.Buffers.Binary;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Coherency.Tests.Telemetry.Otlp;

/// <summary>
/// A receiver of OTLP exports, as protocol buffers over HTTP or by gRPC (opentelemetry-proto, docs/specification.md): keeps what
/// it gets, by signal.
/// </summary>
internal sealed class OtlpReceiver : IDisposable
{
    /// <summary>Of gRPC: whether it is compressed, and the message's length.</summary>
    private const int FrameHeadBytes = 5;

    private readonly WebApplication _web;
    private readonly ConcurrentQueue<(string Path, ProtobufMessage Message)> _received = new();

    public OtlpReceiver(bool isGrpc)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
            options.Listen(
                System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
        _web = builder.Build();
        _web.Run(isGrpc ? ReceiveGrpcAsync : ReceiveHttpAsync);
        _web.StartAsync().Wait();
    }

    public string Endpoint => _web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public bool IsEmpty => _received.IsEmpty;

    public IEnumerable<ReceivedMetric> Metrics =>
        from export in ExportsOf("/v1/metrics", "MetricsService/Export")
        from metric in export.Messages(1, 2, 2)
        select new ReceivedMetric(metric);

    /// <summary>Spans, by their name.</summary>
    public IEnumerable<(string Name, IReadOnlyDictionary<string, string> Attributes, TimeSpan Duration)> Spans =>
        from export in ExportsOf("/v1/traces", "TraceService/Export")
        from span in export.Messages(1, 2, 2)
        select (span.Text(5), ReceivedMetric.ReadAttributes(span, 9), TimeSpan.FromMicroseconds((span.Number(8) - span.Number(7)) / 1e3));

    /// <summary>Texts of log records.</summary>
    public IEnumerable<string> Logs =>
        from export in ExportsOf("/v1/logs", "LogsService/Export")
        from record in export.Messages(1, 2, 2)
        select record.Messages(5).Single().Text(1);

    /// <summary>Who sent all of it.</summary>
    public IEnumerable<IReadOnlyDictionary<string, string>> Resources =>
        _received.SelectMany(received => received.Message.Messages(1, 1)).Select(resource => ReceivedMetric.ReadAttributes(resource, 1));

    public void Dispose()
    {
        _web.StopAsync().Wait();
        ((IDisposable)_web).Dispose();
    }

    private IEnumerable<ProtobufMessage> ExportsOf(string httpPath, string grpcMethod) =>
        _received.Where(received => received.Path == httpPath || received.Path.EndsWith(grpcMethod, StringComparison.Ordinal)).Select(
            received => received.Message);

    private async Task ReceiveHttpAsync(HttpContext context)
    {
        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        _received.Enqueue((context.Request.Path, new ProtobufMessage(await ReadAsync(context))));
        context.Response.ContentType = "application/x-protobuf";
    }

    private async Task ReceiveGrpcAsync(HttpContext context)
    {
        Assert.Equal("application/grpc", context.Request.ContentType);
        byte[] frame = await ReadAsync(context);
        int length = BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1));
        Assert.Equal((0, frame.Length - FrameHeadBytes), (frame[0], length));
        _received.Enqueue((context.Request.Path, new ProtobufMessage(frame.AsSpan(FrameHeadBytes))));
        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(new byte[FrameHeadBytes]);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using MemoryStream content = new();
        await context.Request.Body.CopyToAsync(content);
        return content.ToArray();
    }
}
