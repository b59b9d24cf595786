namespace Coherency.Daemon.Grpc;

/// <summary>Ends a call with a status: thrown by a service for its client, and to the caller by a client.</summary>
public sealed class RpcException(Status status) : Exception($"{status.StatusCode}: {status.Detail}")
{
    public Status Status { get; } = status;

    /// <summary>A client could not connect, so that no server has seen the call.</summary>
    public bool IsUnreachable { get; init; }

    public StatusCode StatusCode => Status.StatusCode;
}
