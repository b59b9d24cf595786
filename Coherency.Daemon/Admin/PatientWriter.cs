using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Coherency.Daemon.Admin;

/// <summary>
/// Writes for as long as the client reads, and ends a call whose client has read nothing for too long. Kestrel's rate of answers
/// is no bound for that: it counts what was read quickly before.
/// </summary>
internal sealed class PatientWriter<T>(IServerStreamWriter<T> writer, HttpContext http, TimeSpan patience) : IServerStreamWriter<T>
{
    public WriteOptions? WriteOptions
    {
        get => writer.WriteOptions;
        set => writer.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        try
        {
            await writer.WriteAsync(message, cancellationToken).WaitAsync(patience, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // What the client holds here is given back.
            http.Abort();
            throw new RpcException(Status.DefaultCancelled);
        }
    }
}
