namespace Coherency.Daemon.Grpc;

/// <summary>Ends a call with a status: thrown by a service for its client, and to the caller by a client.</summary>
public sealed class RpcException(Status status) : Exception($"{status.StatusCode}: {status.Detail}")
{
    public Status Status { get; } = status;

    public StatusCode StatusCode => Status.StatusCode;
}
