namespace Coherency.Daemon.Grpc;

/// <summary>What a service knows of the call that it answers.</summary>
public abstract class ServerCallContext
{
    /// <summary>As <c>/package.Service/Method</c>.</summary>
    public abstract string Method { get; }

    /// <summary>Who calls, as <c>unix:</c>, <c>ipv4:address:port</c> or <c>ipv6:[address]:port</c>.</summary>
    public abstract string Peer { get; }

    /// <summary>UTC; <see cref="DateTime.MaxValue"/> when the client gave none.</summary>
    public abstract DateTime Deadline { get; }

    public abstract Metadata RequestHeaders { get; }

    /// <summary>The client went, gave up, or its deadline has passed.</summary>
    public abstract CancellationToken CancellationToken { get; }

    public abstract Metadata ResponseTrailers { get; }

    /// <summary>How the call ends when the service returns without an exception.</summary>
    public abstract Status Status { get; set; }

    /// <summary>Sends the headers before the first message.</summary>
    public abstract Task WriteResponseHeadersAsync(Metadata responseHeaders);
}
