using Coherency.Daemon.Hosting;
using Coherency.Host.Transports.VhostUser;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    private const int CategoryLengthMax = 256;

    private static readonly string[] LevelNames = [.. Enum.GetNames<LogLevel>().Select(name => name.ToLowerInvariant())];

    public override Task<V1.SetLogLevelResponse> SetLogLevel(V1.SetLogLevelRequest request, ServerCallContext context)
    {
        int level = Array.IndexOf(LevelNames, request.Level);
        if (level < 0)
        {
            throw new RpcException(
                new Status(StatusCode.InvalidArgument, $"'{request.Level}' is no level: {string.Join(", ", LevelNames)} are"));
        }

        if (request.Category.Length > CategoryLengthMax)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"a category has at most {CategoryLengthMax} characters"));
        }

        LogLevel previous = levels.Set(request.Category, (LogLevel)level) ?? throw new RpcException(new Status(
            StatusCode.ResourceExhausted, $"{LogLevels.CategoriesMax} categories have levels of their own: set the level of all, which " +
                "ends that"));
        return Task.FromResult(new V1.SetLogLevelResponse { PreviousLevel = LevelNames[(int)previous] });
    }

    public override Task<V1.GetDashboardResponse> GetDashboard(V1.GetDashboardRequest request, ServerCallContext context) => dashboard
        is not null
        ? Task.FromResult(new V1.GetDashboardResponse { Url = dashboard.Address.AbsoluteUri })
        : throw new RpcException(
            new Status(StatusCode.FailedPrecondition, "the daemon serves no dashboard: start it with --dashboard PORT"));

    public override Task<V1.DisconnectGuestResponse> DisconnectGuest(V1.DisconnectGuestRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.DisconnectGuestResponse { WasConnected = EndpointOf(request.Guest).Disconnect() });

    public override async Task<V1.DrainGuestResponse> DrainGuest(V1.DrainGuestRequest request, ServerCallContext context)
    {
        GuestEndpoint endpoint = EndpointOf(request.Guest);
        if (request.Resume)
        {
            endpoint.Resume();
            return new V1.DrainGuestResponse();
        }

        // A request may wait for a slow file system: not on a thread of the pool.
        long answered = await Task.Factory.StartNew(
            () => endpoint.Drain(context.CancellationToken),
            context.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default).ConfigureAwait(false);
        return new V1.DrainGuestResponse { RequestsAnswered = (ulong)answered };
    }

    private GuestEndpoint EndpointOf(string name)
    {
        ServedGuest guest = lookup.GuestOf(name);
        return guest.Endpoint
            ?? throw new RpcException(
                new Status(StatusCode.FailedPrecondition, $"{guest.Name} is a mount of the host, not a guest: unmount it instead"));
    }
}
