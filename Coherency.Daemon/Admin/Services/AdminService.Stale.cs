using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    /// <summary>Entries of one message.</summary>
    private const int EntriesPerMessage = 256;

    public override async Task ListStaleEntries(
        V1.ListStaleEntriesRequest request, IServerStreamWriter<V1.ListStaleEntriesResponse> responseStream, ServerCallContext context)
    {
        if (request.Follow && (request.PageSize != 0 || request.PageToken.Length > 0))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "a list that is followed has no pages: leave page size and page token out"));
        }

        StaleFilter filter = ToFilter(request);
        StaleFollower? follower = request.Follow ? new StaleFollower(filter, [.. reports.Holdings.Guests.Select(guest => guest.Entries.Log).Distinct()]) : null;
        await SendStaleAsync(request, filter, entry => follower?.IsNew(entry) != false, responseStream, context).ConfigureAwait(false);
        while (follower is not null)
        {
            await follower.WaitForMoreAsync(context.CancellationToken).ConfigureAwait(false);
            await SendStaleAsync(request, filter, follower.IsNew, responseStream, context).ConfigureAwait(false);
        }
    }

    private async Task SendStaleAsync(
        V1.ListStaleEntriesRequest request,
        StaleFilter filter,
        Func<StaleEntry, bool> isWanted,
        IServerStreamWriter<V1.ListStaleEntriesResponse> responseStream,
        ServerCallContext context)
    {
        string? token = request.PageToken;
        uint left = request.PageSize == 0 ? uint.MaxValue : request.PageSize;
        do
        {
            int most = (int)Math.Min(EntriesPerMessage, left);
            // Looking at a million entries takes a while.
            StalePage page = await reports.Scans.RunAsync(() => ListStale(filter, most, token), context.CancellationToken).ConfigureAwait(false);
            V1.ListStaleEntriesResponse response = new() { NextPageToken = page.NextToken ?? "" };
            response.Entries.AddRange(page.Entries.Where(isWanted).Select(HoldingsDescriber.Describe));
            bool isLast = page.NextToken is null;
            if (response.Entries.Count > 0 || (isLast && !request.Follow))
            {
                await responseStream.WriteAsync(response, context.CancellationToken).ConfigureAwait(false);
            }

            token = page.NextToken;
            left -= (uint)page.Entries.Count;
        }
        while (token is not null && left > 0);
    }

    private StalePage ListStale(StaleFilter filter, int most, string? token) => reports.Holdings.TryListStale(filter, most, token, out StalePage page)
        ? page
        : throw new RpcException(new Status(StatusCode.InvalidArgument, $"the page token '{token}' is none: pass the next_page_token of the page before, or none for the first page"));

    private StaleFilter ToFilter(V1.ListStaleEntriesRequest request)
    {
        ServedShare? share = request.Share.Length == 0 ? null : ShareOf(request.Share);
        ServedGuest? guest = request.Guest.Length == 0 ? null : RecordedGuestOf(request.Guest);
        if (guest is not null && share is not null && guest.Share != share)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"{guest.Name} is a guest of {guest.Share.Directory}, not of {share.Directory}: give one of them"));
        }

        RequireHoldings();
        HeldKinds kinds = HoldingsDescriber.ToKinds(request.Kinds)
            ?? throw new RpcException(new Status(StatusCode.InvalidArgument, "there is no such kind of entry: dentry, negative dentry, attributes, symlink and directory are"));
        return new StaleFilter
        {
            Guests = guest is not null ? [guest.Name]
                : share is not null ? [.. _server.Guests.Where(one => one.Share == share).Select(one => one.Name)]
                : null,
            PathPrefix = request.PathPrefix.Trim('/'),
            Kinds = kinds,
            MinimumAge = MinimumAgeOf(request),
        };
    }

    private static TimeSpan MinimumAgeOf(V1.ListStaleEntriesRequest request)
    {
        const long SecondsMax = 100L * 365 * 24 * 3600;
        if (request.MinimumAge is null)
        {
            return TimeSpan.Zero;
        }

        if (request.MinimumAge.Seconds is < 0 or > SecondsMax || request.MinimumAge.Nanos is < 0 or > 999_999_999)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "a minimum age is between nothing and a hundred years"));
        }

        return request.MinimumAge.ToTimeSpan();
    }

    /// <exception cref="RpcException">What the guest holds is not recorded.</exception>
    private ServedGuest RecordedGuestOf(string name)
    {
        ServedGuest guest = GuestOf(name);
        if (guest.Mount is not null)
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"{guest.Name} is a mount of the host: its kernel is told of every change before whoever made it goes on, so nothing it holds is stale"));
        }

        RequireHoldings();
        return guest;
    }

    private void RequireHoldings()
    {
        if (reports.Holdings.Guests.Count == 0)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "the daemon was told not to record what guests hold: start it without --no-holdings"));
        }
    }
}
