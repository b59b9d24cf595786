using Coherency.Daemon.Reports;
using Coherency.Host.Coherence.Holdings;
using Grpc.Core;
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
            throw new RpcException(
                new Status(StatusCode.InvalidArgument, "a list that is followed has no pages: leave page size and page token out"));
        }

        StaleFilter filter = state.ToFilter(request);
        StaleFollower? follower = request.Follow
            ? new StaleFollower(filter, [.. reports.Holdings.Guests.Select(guest => guest.Entries.Log).Distinct()])
            : null;
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
            StalePage page = await state.ReadStaleAsync(filter, most, token, context.CancellationToken).ConfigureAwait(false);
            V1.ListStaleEntriesResponse response = HoldingsDescriber.Describe(page, isWanted);
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
}
