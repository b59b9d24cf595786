namespace Coherency.Daemon.Grpc;

/// <summary>Receives the messages of a stream from the client.</summary>
public interface IAsyncStreamReader<out T>
{
    T Current { get; }

    /// <summary>False when the client has sent its last.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}
