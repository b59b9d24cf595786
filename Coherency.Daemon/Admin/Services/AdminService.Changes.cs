using Coherency.Core.Fuse;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;
using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    /// <summary>How often a group is asked for changes while there are none.</summary>
    private static readonly TimeSpan ChangesPause = TimeSpan.FromMilliseconds(100);

    public override Task<V1.InspectResponse> Inspect(V1.InspectRequest request, ServerCallContext context)
    {
        ServedShare share = lookup.ShareOf(request.Share);
        lookup.RequireHoldings();
        InspectedObject? inspected = request.WhatCase switch
        {
            V1.InspectRequest.WhatOneofCase.Path => reports.Holdings.Inspect(share.Directory, request.Path.Trim('/')),
            V1.InspectRequest.WhatOneofCase.NodeId => reports.Holdings.Inspect(share.Directory, new NodeId(request.NodeId)),
            _ => throw new RpcException(new Status(StatusCode.InvalidArgument, "say what to inspect: a path in the share, or a node id")),
        };
        return inspected is not null
            ? Task.FromResult(HoldingsDescriber.Describe(inspected))
            : throw new RpcException(
                new Status(
                    StatusCode.NotFound, $"no guest of {share.Directory} was told of {NameOf(request)}, so none holds anything of it"));
    }

    public override async Task WatchChanges(
        V1.WatchChangesRequest request, IServerStreamWriter<V1.WatchChangesResponse> responseStream, ServerCallContext context)
    {
        ServedShare share = lookup.ShareOf(request.Share);
        lookup.RequireHoldings();
        string? guest = request.Guest.Length == 0 ? null : lookup.GuestOf(request.Guest).Name;
        string prefix = request.PathPrefix.Trim('/');
        ChangeLog log = share.Share.Group.Log!;
        long position = log.Next;
        while (true)
        {
            IReadOnlyList<ChangeReport> changes = reports.Holdings.ReadChanges(log, ref position, out long missed);
            V1.WatchChangesResponse response = new() { Dropped = (ulong)missed };
            response.Changes.AddRange(changes.Where(change => IsWanted(change, guest, prefix)).Select(HoldingsDescriber.Describe));
            if (response.Changes.Count > 0 || missed > 0)
            {
                await responseStream.WriteAsync(response, context.CancellationToken).ConfigureAwait(false);
            }

            if (changes.Count == 0 && log.TryContinue(ref position, out ChangeLog? next))
            {
                log = next;
            }
            else if (changes.Count == 0)
            {
                await Task.Delay(ChangesPause, context.CancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static bool IsWanted(ChangeReport change, string? guest, string prefix) =>
        (guest is null || (change.Cause.Actor.Kind == ChangeActorKind.Client && change.Cause.Actor.Name == guest))
        && (
            prefix.Length == 0 || (
                change.Cause.Path is { } path && (path == prefix || path.StartsWith(prefix + '/', StringComparison.Ordinal))));

    private static string NameOf(V1.InspectRequest request) =>
        request.WhatCase == V1.InspectRequest.WhatOneofCase.Path ? $"'{request.Path}'" : $"node {request.NodeId}";
}
