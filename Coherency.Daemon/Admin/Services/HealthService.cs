using Coherency.Daemon.Hosting;
using Coherency.Host.Transports.VhostUser;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Microsoft.Extensions.Hosting;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

/// <summary>
/// Whether the daemon serves: as a whole, a share (not when the changes of host programs are no longer noticed), a guest (not
/// when it is drained, or unmounted).
/// </summary>
internal sealed class HealthService(GuestServer server) : HealthServiceImpl
{
    private const string SharePrefix = "coherency.share.";
    private const string GuestPrefix = "coherency.guest.";

    private readonly HashSet<string> _known = [];

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        Refresh();
        try
        {
            return await base.Check(request, context).ConfigureAwait(false);
        }
        catch (RpcException unknown) when (unknown.StatusCode == StatusCode.NotFound)
        {
            throw new RpcException(
                new Status(StatusCode.NotFound, $"'{request.Service}' is not known: '', {SharePrefix}DIRECTORY and {GuestPrefix}NAME are"));
        }
    }

    public override Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        Refresh();
        return base.Watch(request, responseStream, context);
    }

    /// <summary>Looks at everything that has a status, and tells those that watch what has changed.</summary>
    public void Refresh()
    {
        lock (_known)
        {
            HashSet<string> gone = [.. _known];
            Set("", isServing: true);
            Set(V1.Admin.Descriptor.FullName, isServing: true);
            foreach (ServedShare share in server.ServedShares)
            {
                Set(SharePrefix + share.Directory, share.Watcher?.IsAlive ?? true);
            }

            foreach (ServedGuest guest in server.Guests)
            {
                Set(GuestPrefix + guest.Name, IsServing(guest));
            }

            foreach (string service in gone)
            {
                _known.Remove(service);
                ClearStatus(service);
            }

            void Set(string service, bool isServing)
            {
                gone.Remove(service);
                _known.Add(service);
                SetStatus(service, isServing ? ServingStatus.Serving : ServingStatus.NotServing);
            }
        }
    }

    private static bool IsServing(ServedGuest guest) => guest.Endpoint is { } endpoint
        ? endpoint.State is GuestEndpointState.Listening or GuestEndpointState.Connected
        : guest.Mount?.Unmounted.IsCompleted == false;
}

/// <summary>Looks at the health for all that watch it: a thousand cost no more than one while nothing happens.</summary>
internal sealed class HealthWatch(HealthService health) : BackgroundService
{
    /// <summary>How late a change may be told.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(Period);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                health.Refresh();
            }
        }
        catch (OperationCanceledException)
        {
            // That is how it ends, also when the host has not come to start.
        }
    }
}
