using Coherency.Admin.V1;

namespace Coherency.Daemon.Grpc.Services;

/// <summary>The service of protos/coherency/admin/v1/admin.proto: its methods, for server and client.</summary>
public static partial class Admin
{
    public const string ServiceName = "coherency.admin.v1.Admin";

    public static readonly Method<ListSharesRequest, ListSharesResponse> ListShares =
        new(MethodType.Unary, ServiceName, nameof(ListShares), ListSharesRequest.Parser, ListSharesResponse.Parser);

    public static readonly Method<ListGuestsRequest, ListGuestsResponse> ListGuests =
        new(MethodType.Unary, ServiceName, nameof(ListGuests), ListGuestsRequest.Parser, ListGuestsResponse.Parser);

    public static readonly Method<GetTableRequest, GetTableResponse> GetTable =
        new(MethodType.Unary, ServiceName, nameof(GetTable), GetTableRequest.Parser, GetTableResponse.Parser);

    public static readonly Method<ListStaleEntriesRequest, ListStaleEntriesResponse> ListStaleEntries =
        new(MethodType.ServerStreaming, ServiceName, nameof(ListStaleEntries), ListStaleEntriesRequest.Parser, ListStaleEntriesResponse.Parser);

    public static readonly Method<InspectRequest, InspectResponse> Inspect =
        new(MethodType.Unary, ServiceName, nameof(Inspect), InspectRequest.Parser, InspectResponse.Parser);

    public static readonly Method<WatchChangesRequest, WatchChangesResponse> WatchChanges =
        new(MethodType.ServerStreaming, ServiceName, nameof(WatchChanges), WatchChangesRequest.Parser, WatchChangesResponse.Parser);

    public static readonly Method<InvalidatePathRequest, InvalidatePathResponse> InvalidatePath =
        new(MethodType.Unary, ServiceName, nameof(InvalidatePath), InvalidatePathRequest.Parser, InvalidatePathResponse.Parser);

    public static readonly Method<InvalidateAllRequest, InvalidateAllResponse> InvalidateAll =
        new(MethodType.Unary, ServiceName, nameof(InvalidateAll), InvalidateAllRequest.Parser, InvalidateAllResponse.Parser);

    public static readonly Method<SetLogLevelRequest, SetLogLevelResponse> SetLogLevel =
        new(MethodType.Unary, ServiceName, nameof(SetLogLevel), SetLogLevelRequest.Parser, SetLogLevelResponse.Parser);

    public static readonly Method<DisconnectGuestRequest, DisconnectGuestResponse> DisconnectGuest =
        new(MethodType.Unary, ServiceName, nameof(DisconnectGuest), DisconnectGuestRequest.Parser, DisconnectGuestResponse.Parser);

    public static readonly Method<GetDashboardRequest, GetDashboardResponse> GetDashboard =
        new(MethodType.Unary, ServiceName, nameof(GetDashboard), GetDashboardRequest.Parser, GetDashboardResponse.Parser);

    public static readonly Method<DrainGuestRequest, DrainGuestResponse> DrainGuest =
        new(MethodType.Unary, ServiceName, nameof(DrainGuest), DrainGuestRequest.Parser, DrainGuestResponse.Parser);

    public static ServerServiceDefinition BindService(AdminBase service) => ServerServiceDefinition.CreateBuilder()
        .AddMethod(ListShares, service.ListShares)
        .AddMethod(ListGuests, service.ListGuests)
        .AddMethod(GetTable, service.GetTable)
        .AddMethod(ListStaleEntries, service.ListStaleEntries)
        .AddMethod(Inspect, service.Inspect)
        .AddMethod(WatchChanges, service.WatchChanges)
        .AddMethod(InvalidatePath, service.InvalidatePath)
        .AddMethod(InvalidateAll, service.InvalidateAll)
        .AddMethod(SetLogLevel, service.SetLogLevel)
        .AddMethod(DisconnectGuest, service.DisconnectGuest)
        .AddMethod(GetDashboard, service.GetDashboard)
        .AddMethod(DrainGuest, service.DrainGuest)
        .Build();
}
