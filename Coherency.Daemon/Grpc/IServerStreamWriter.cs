namespace Coherency.Daemon.Grpc;

/// <summary>Sends the messages of a stream to the client.</summary>
public interface IServerStreamWriter<in T>
{
    /// <summary>Returns when there is room for more: a client that does not read holds it up, and is cut off after a while.</summary>
    Task WriteAsync(T message, CancellationToken cancellationToken);
}
