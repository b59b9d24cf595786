using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Host.Transports.VhostUser;
using Grpc.Health.V1;
using HealthBase = Coherency.Daemon.Grpc.Services.Health.HealthBase;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Coherency.Daemon.Admin.Services;

/// <summary>
/// Whether the daemon serves: as a whole, a share (not when the changes of host programs are no longer noticed), a guest (not
/// when it is drained, or unmounted).
/// </summary>
internal sealed class HealthService : HealthBase
{
    private const string SharePrefix = "coherency.share.";
    private const string GuestPrefix = "coherency.guest.";

    private readonly GuestServer _server;
    private readonly StatusWatch _watch;

    public HealthService(GuestServer server)
    {
        _server = server;
        _watch = new StatusWatch(StatusOf);
    }

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        ServingStatus status = StatusOf(request.Service);
        return status != ServingStatus.ServiceUnknown
            ? Task.FromResult(new HealthCheckResponse { Status = status })
            : throw new RpcException(new Status(
                StatusCode.NotFound, $"'{request.Service}' is not known: '', {SharePrefix}DIRECTORY and {GuestPrefix}NAME are"));
    }

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        await foreach (ServingStatus status in _watch.FollowAsync(request.Service, context.CancellationToken).ConfigureAwait(false))
        {
            await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, context.CancellationToken).ConfigureAwait(false);
        }
    }

    private ServingStatus StatusOf(string service)
    {
        if (service.Length == 0 || service == Grpc.Services.Admin.ServiceName)
        {
            return ServingStatus.Serving;
        }

        bool? isServing = service switch
        {
            _ when service.StartsWith(SharePrefix, StringComparison.Ordinal) => IsShareServing(service[SharePrefix.Length..]),
            _ when service.StartsWith(GuestPrefix, StringComparison.Ordinal) => IsGuestServing(service[GuestPrefix.Length..]),
            _ => null,
        };
        return isServing switch
        {
            true => ServingStatus.Serving,
            false => ServingStatus.NotServing,
            null => ServingStatus.ServiceUnknown,
        };
    }

    private bool? IsShareServing(string directory)
    {
        ServedShare? share = _server.ServedShares.FirstOrDefault(one => one.Directory == directory);
        return share is null ? null : share.Watcher?.IsAlive ?? true;
    }

    private bool? IsGuestServing(string name)
    {
        ServedGuest? guest = _server.Guests.FirstOrDefault(one => one.Name == name);
        if (guest is null)
        {
            return null;
        }

        return guest.Endpoint is { } endpoint
            ? endpoint.State is GuestEndpointState.Listening or GuestEndpointState.Connected
            : guest.Mount?.Unmounted.IsCompleted == false;
    }
}
