using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Coherency.Daemon.Grpc.Server;

/// <summary>One call, from the headers of its request to the trailers of its response.</summary>
internal sealed class GrpcCall : ServerCallContext, IDisposable
{
    private const string EncodingHeader = "grpc-encoding";
    private const string AcceptEncodingHeader = "grpc-accept-encoding";

    private readonly CancellationTokenSource _cancellation;
    private Metadata? _requestHeaders;
    private DateTime _deadline = DateTime.MaxValue;

    /// <param name="stopping">Ends the call, as its client can.</param>
    public GrpcCall(HttpContext http, CallLimits limits, CancellationToken stopping)
    {
        Http = http;
        Limits = limits;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
    }

    public HttpContext Http { get; }

    public CallLimits Limits { get; }

    /// <summary>How the messages of the request are compressed.</summary>
    public string RequestEncoding { get; private set; } = MessageFrame.Identity;

    /// <summary>Its messages may be compressed: the client can read that, and it is worth it.</summary>
    public bool CompressesResponses { get; private set; }

    /// <summary>Nobody is there any more to be told of an end.</summary>
    public bool IsAborted { get; private set; }

    public override string Method => Http.Request.Path;

    public override string Peer => (Http.Connection.RemoteIpAddress, Http.Connection.RemotePort) switch
    {
        (null, _) => "unix:",
        ({ AddressFamily: AddressFamily.InterNetwork } address, int port) => $"ipv4:{address}:{port}",
        (IPAddress address, int port) => $"ipv6:[{address}]:{port}",
    };

    public override DateTime Deadline => _deadline;

    /// <summary>By the timer that ended the call, which may be ahead of the clock.</summary>
    public bool IsPastDeadline =>
        _deadline != DateTime.MaxValue && _cancellation.IsCancellationRequested && !Http.RequestAborted.IsCancellationRequested;

    public override Metadata RequestHeaders => _requestHeaders ??= MetadataHeaders.Read(Http.Request.Headers);

    public override CancellationToken CancellationToken => _cancellation.Token;

    public override Metadata ResponseTrailers { get; } = new();

    public override Status Status { get; set; } = Status.DefaultSuccess;

    /// <summary>Reads the headers that steer the call.</summary>
    /// <exception cref="RpcException">One of them cannot be met.</exception>
    public void Begin()
    {
        Http.Response.Headers[AcceptEncodingHeader] = MessageFrame.AcceptedEncodings;
        string? timeout = Http.Request.Headers[GrpcTimeout.Header];
        if (!GrpcTimeout.TryParse(timeout, out TimeSpan? allowed))
        {
            throw new RpcException(new Status(StatusCode.Internal, $"{GrpcTimeout.Header} {timeout}: at most eight digits and one of H M S m u n are right"));
        }

        if (allowed is { } span)
        {
            _deadline = DateTime.UtcNow + span;
            _cancellation.CancelAfter(span);
        }

        BeginEncoding();
    }

    public override async Task WriteResponseHeadersAsync(Metadata responseHeaders)
    {
        foreach (Metadata.Entry entry in responseHeaders)
        {
            Http.Response.Headers.Append(entry.Key, MetadataHeaders.Format(entry));
        }

        await Http.Response.BodyWriter.FlushAsync(CancellationToken).ConfigureAwait(false);
    }

    /// <summary>The client has read nothing for long: what it holds here is given back.</summary>
    public void AbortForNotReading()
    {
        IsAborted = true;
        Http.Abort();
    }

    public void Dispose() => _cancellation.Dispose();

    private void BeginEncoding()
    {
        string? encoding = Http.Request.Headers[EncodingHeader];
        RequestEncoding = string.IsNullOrEmpty(encoding) ? MessageFrame.Identity : encoding;
        if (RequestEncoding is not (MessageFrame.Identity or MessageFrame.Gzip))
        {
            throw new RpcException(new Status(StatusCode.Unimplemented, $"messages compressed as {encoding} cannot be read: {MessageFrame.AcceptedEncodings} can"));
        }

        string accepted = Http.Request.Headers[AcceptEncodingHeader].ToString();
        bool isRemote = Http.Connection.RemoteIpAddress is not null;
        CompressesResponses = (isRemote || RequestEncoding == MessageFrame.Gzip)
            && accepted.Split(',', StringSplitOptions.TrimEntries).Contains(MessageFrame.Gzip);
        if (CompressesResponses)
        {
            Http.Response.Headers[EncodingHeader] = MessageFrame.Gzip;
        }
    }
}
