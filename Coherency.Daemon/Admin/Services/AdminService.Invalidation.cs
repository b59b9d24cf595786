using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Passthrough;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    public override Task<V1.InvalidatePathResponse> InvalidatePath(V1.InvalidatePathRequest request, ServerCallContext context)
    {
        ServedShare share = ShareOf(request.Share);
        Errno errno = PathSlots.Find(share.Share, request.Path, out SlotKey[] slots);
        if (errno != Errno.None)
        {
            throw ToRefusal(errno, request.Path, share);
        }

        share.Share.Group.Invalidate(slots, context.Peer);
        int below = request.Recursive ? InvalidateBelow(share, request.Path.Trim('/'), context) : 0;
        return Task.FromResult(new V1.InvalidatePathResponse { SlotsMoved = (ulong)(slots.Length + below) });
    }

    public override Task<V1.InvalidateAllResponse> InvalidateAll(V1.InvalidateAllRequest request, ServerCallContext context)
    {
        ServedShare? share = request.Share.Length == 0 ? null : ShareOf(request.Share);
        ServedGuest? guest = request.Guest.Length == 0 ? null : GuestOf(request.Guest);
        if (share is not null && guest is not null && guest.Share != share)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"{guest.Name} is a guest of {guest.Share.Directory}, not of {share.Directory}: give one of them"));
        }

        if (guest is { View: null })
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"{guest.Name} cannot be told: it has no version table and believes what it caches until its timeouts end"));
        }

        ServedGuest[] told = [.. _server.Guests
            .Where(one => one.View is not null && (share is null || one.Share == share) && (guest is null || one == guest))];
        foreach (ServedGuest one in told)
        {
            one.Share.Share.Group.InvalidateAll(context.Peer, one.View);
        }

        return Task.FromResult(new V1.InvalidateAllResponse { Guests = (ulong)told.Length });
    }

    /// <summary>What guests hold at a path and below it.</summary>
    private int InvalidateBelow(ServedShare share, string path, ServerCallContext context)
    {
        RequireHoldings();
        HashSet<SlotKey> slots = [];
        foreach (HeldGuest guest in reports.Holdings.Guests.Where(guest => guest.Share == share.Directory))
        {
            HoldingsQuery.CollectSlots(guest.Entries, path, slots);
        }

        foreach (SlotKey[] some in slots.Chunk(MutationScope.TouchedMax))
        {
            share.Share.Group.Invalidate(some, context.Peer);
        }

        return slots.Count;
    }

    private static RpcException ToRefusal(Errno errno, string path, ServedShare share) => new(errno switch
    {
        Errno.ENOENT or Errno.ENOTDIR => new Status(StatusCode.NotFound, $"a directory of {path} is not in {share.Directory}; symbolic links are not followed"),
        Errno.EINVAL or Errno.ENAMETOOLONG => new Status(StatusCode.InvalidArgument, $"{path} is no path in a share: give names, relative to {share.Directory}, without . and .."),
        Errno.EACCES or Errno.EPERM => new Status(StatusCode.PermissionDenied, $"the daemon may not look up {path} in {share.Directory}: {errno}"),
        _ => new Status(StatusCode.Internal, $"{path} cannot be looked up in {share.Directory}: {errno}"),
    });
}
