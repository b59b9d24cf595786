using System.Text.Json;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Host.Passthrough;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    public override Task<V1.AddGuestsResponse> AddGuests(V1.AddGuestsRequest request, ServerCallContext context)
    {
        RequireLocal(context);
        ShareConfiguration share = ReadShare(request.Share ?? new Struct());
        return ChangeAsync(() =>
        {
            V1.AddGuestsResponse response = new();
            foreach (ServedGuest guest in configuration.Add(share, request.Persistent))
            {
                V1.AddedGuest added = new() { Name = guest.Name };
                added.Instructions.AddRange(VmmArguments.Describe(guest.Wanted, guest.Configuration));
                response.Guests.Add(added);
            }

            return response;
        });
    }

    public override Task<V1.RemoveGuestResponse> RemoveGuest(V1.RemoveGuestRequest request, ServerCallContext context)
    {
        RequireLocal(context);
        ServedGuest guest = lookup.GuestOf(request.Guest);
        if (EndpointOf(request.Guest).IsGiven)
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition,
                $"{guest.Name} came with a coherencyd-virtiofsd and goes with it: stop that, or disconnect the guest"));
        }

        return ChangeAsync(() => configuration.Remove(guest)
            ? new V1.RemoveGuestResponse()
            : throw new RpcException(new Status(StatusCode.NotFound, $"{guest.Name} is being removed already")));
    }

    public override Task<V1.ReloadResponse> Reload(V1.ReloadRequest request, ServerCallContext context)
    {
        RequireLocal(context);
        return ChangeAsync(() =>
        {
            (IReadOnlyList<string> added, IReadOnlyList<string> removed) = configuration.Reload();
            return new V1.ReloadResponse { Added = { added }, Removed = { removed } };
        });
    }

    public override Task<V1.GetConfigurationResponse> GetConfiguration(V1.GetConfigurationRequest request, ServerCallContext context)
    {
        string json = JsonSerializer.Serialize(configuration.Describe(), ConfigurationJson.Default.ServeConfiguration);
        return Task.FromResult(new V1.GetConfigurationResponse { Configuration = Struct.Parser.ParseJson(json) });
    }

    /// <summary>A client of the network may see and steer what is shared, but not say what is.</summary>
    private static void RequireLocal(ServerCallContext context)
    {
        if (context.GetHttpContext().Connection.RemoteIpAddress is not null)
        {
            throw new RpcException(new Status(
                StatusCode.PermissionDenied, "what is shared with whom is said on the daemon's host, by its UNIX socket (--admin-socket)"));
        }
    }

    private static ShareConfiguration ReadShare(Struct said)
    {
        try
        {
            ShareConfiguration share = JsonSerializer.Deserialize(said.ToString(), ConfigurationJson.Default.ShareConfiguration)!;
            IEnumerable<string?> paths = [share.SharedDir, share.TableDir, share.HandleKey, .. share.Guests.Select(guest => guest.Socket)];
            return paths.FirstOrDefault(path => path is not null && !Path.IsPathRooted(path)) is { } relative
                ? throw new UsageException($"{relative} does not begin with a slash: the daemon works in another directory than you")
                : share;
        }
        catch (Exception malformed) when (malformed is JsonException or UsageException)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, malformed.Message));
        }
    }

    /// <summary>A guest may take a while to end: not on a thread of the pool.</summary>
    private static async Task<T> ChangeAsync<T>(Func<T> change)
    {
        try
        {
            return await Task.Factory.StartNew(
                change, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        }
        catch (Exception refused) when (
            refused is UsageException or ShareException or VersionTableException or IOException or UnauthorizedAccessException)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, refused.Message));
        }
    }
}
