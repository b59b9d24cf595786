using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Reports;

/// <summary>
/// What a running daemon says of itself, in the messages of <c>admin.proto</c>, whoever asks and however: the administration
/// over gRPC, the dashboard as JSON. Methods are called on any thread, several at once. What makes no sense is refused by an
/// <see cref="RpcException"/>, whose text says what to do.
/// </summary>
internal interface IDaemonState
{
    V1.ListSharesResponse ListShares();

    /// <summary>Guests and mounts of the host, connected or not, always in the same order.</summary>
    Task<V1.ListGuestsResponse> ListGuestsAsync(V1.ListGuestsRequest request, CancellationToken cancellation);

    /// <summary>Requests of each guest since the daemon started: cheap enough to be asked each second.</summary>
    IEnumerable<KeyValuePair<string, long>> CountRequests();

    Task<V1.GetTableResponse> GetTableAsync(V1.GetTableRequest request, CancellationToken cancellation);

    /// <summary>One page of <see cref="V1.ListStaleEntriesRequest.PageSize"/> entries, at most.</summary>
    Task<V1.ListStaleEntriesResponse> ListStaleAsync(V1.ListStaleEntriesRequest request, CancellationToken cancellation);
}
