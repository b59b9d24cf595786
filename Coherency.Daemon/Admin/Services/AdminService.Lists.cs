using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    public override Task<V1.ListSharesResponse> ListShares(V1.ListSharesRequest request, ServerCallContext context) =>
        Task.FromResult(state.ListShares());

    public override Task<V1.ListGuestsResponse> ListGuests(V1.ListGuestsRequest request, ServerCallContext context) =>
        state.ListGuestsAsync(request, context.CancellationToken);

    public override Task<V1.GetRequestRatesResponse> GetRequestRates(V1.GetRequestRatesRequest request, ServerCallContext context) =>
        Task.FromResult(history.Read(request.After));

    public override Task<V1.GetTableResponse> GetTable(V1.GetTableRequest request, ServerCallContext context) =>
        state.GetTableAsync(request, context.CancellationToken);
}
