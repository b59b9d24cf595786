using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Passthrough;
using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    /// <summary>Of one call. Who wants more moved has everything asked for anew, which is as cheap as one slot.</summary>
    private const int SlotsMax = 100_000;

    public override async Task<V1.InvalidatePathResponse> InvalidatePath(V1.InvalidatePathRequest request, ServerCallContext context)
    {
        ServedShare share = lookup.ShareOf(request.Share);
        if (request.Recursive)
        {
            lookup.RequireHoldings();
        }

        Errno errno = PathSlots.Find(share.Share, request.Path, out SlotKey[] found);
        if (errno != Errno.None)
        {
            throw ToRefusal(errno, request.Path, share);
        }

        HashSet<SlotKey> slots = request.Recursive
            ? await reports.Scans.RunAsync(
                () => CollectBelow(share, request.Path.Trim('/'), found, context.CancellationToken),
                context.CancellationToken).ConfigureAwait(false)
            : [.. found];
        if (slots.Count > SlotsMax)
        {
            share.Share.Group.InvalidateAll(PeerOf(context));
            return new V1.InvalidatePathResponse();
        }

        foreach (SlotKey[] some in slots.Chunk(MutationScope.TouchedMax))
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            share.Share.Group.Invalidate(some, PeerOf(context));
        }

        return new V1.InvalidatePathResponse { SlotsMoved = (ulong)slots.Count };
    }

    public override Task<V1.InvalidateAllResponse> InvalidateAll(V1.InvalidateAllRequest request, ServerCallContext context)
    {
        ServedShare? share = request.Share.Length == 0 ? null : lookup.ShareOf(request.Share);
        ServedGuest? guest = request.Guest.Length == 0 ? null : lookup.GuestOf(request.Guest);
        if (share is not null && guest is not null && guest.Share != share)
        {
            throw new RpcException(
                new Status(
                    StatusCode.InvalidArgument,
                    $"{guest.Name} is a guest of {guest.Share.Directory}, not of {share.Directory}: give one of them"));
        }

        if (guest is { View: null })
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"{guest.Name} cannot be told: it has no version table and believes what it caches until " +
                    "its timeouts end"));
        }

        ServedGuest[] told = [.. _server.Guests
            .Where(one => one.View is not null && (share is null || one.Share == share) && (guest is null || one == guest))];
        foreach (ServedGuest one in told)
        {
            one.Share.Share.Group.InvalidateAll(PeerOf(context), one.View);
        }

        return Task.FromResult(new V1.InvalidateAllResponse { Guests = (ulong)told.Length });
    }

    /// <summary>With the slots of what guests hold at a path and below it, until there are more than can be moved.</summary>
    private HashSet<SlotKey> CollectBelow(ServedShare share, string path, IEnumerable<SlotKey> found, CancellationToken cancellation)
    {
        HashSet<SlotKey> slots = [.. found];
        foreach (HeldGuest guest in reports.Holdings.Guests.Where(guest => guest.Share == share.Directory))
        {
            cancellation.ThrowIfCancellationRequested();
            HoldingsQuery.CollectSlots(guest.Entries, path, slots);
            if (slots.Count > SlotsMax)
            {
                break;
            }
        }

        return slots;
    }

    private static RpcException ToRefusal(Errno errno, string path, ServedShare share) => new(errno switch
    {
        Errno.ENOENT or Errno.ENOTDIR => new Status(
            StatusCode.NotFound, $"a directory of {path} is not in {share.Directory}; symbolic links are not followed"),
        Errno.EINVAL or Errno.ENAMETOOLONG => new Status(
            StatusCode.InvalidArgument, $"{path} is no path in a share: give names, relative to {share.Directory}, without . and .."),
        Errno.EACCES or Errno.EPERM => new Status(
            StatusCode.PermissionDenied, $"the daemon may not look up {path} in {share.Directory}: {errno}"),
        _ => new Status(StatusCode.Internal, $"{path} cannot be looked up in {share.Directory}: {errno}"),
    });
}
