using Coherency.Admin.V1;

namespace Coherency.Daemon.Grpc.Services;

public static partial class Admin
{
    /// <summary>What carries the methods out; those that it does not override are unimplemented.</summary>
    public abstract class AdminBase
    {
        public virtual Task<ListSharesResponse> ListShares(ListSharesRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<ListGuestsResponse> ListGuests(ListGuestsRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<GetTableResponse> GetTable(GetTableRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task ListStaleEntries(
            ListStaleEntriesRequest request, IServerStreamWriter<ListStaleEntriesResponse> responseStream, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<InspectResponse> Inspect(InspectRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task WatchChanges(
            WatchChangesRequest request, IServerStreamWriter<WatchChangesResponse> responseStream, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<InvalidatePathResponse> InvalidatePath(InvalidatePathRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<InvalidateAllResponse> InvalidateAll(InvalidateAllRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<SetLogLevelResponse> SetLogLevel(SetLogLevelRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<DisconnectGuestResponse> DisconnectGuest(DisconnectGuestRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<GetDashboardResponse> GetDashboard(GetDashboardRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);

        public virtual Task<DrainGuestResponse> DrainGuest(DrainGuestRequest request, ServerCallContext context) =>
            throw Unimplemented.Of(context);
    }
}
