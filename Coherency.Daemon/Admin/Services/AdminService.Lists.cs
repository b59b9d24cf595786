using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    public override Task<V1.ListSharesResponse> ListShares(V1.ListSharesRequest request, ServerCallContext context)
    {
        V1.ListSharesResponse response = new();
        foreach (ServedShare share in _server.ServedShares)
        {
            response.Shares.Add(Describer.Describe(share, _server.Guests.Where(guest => guest.Share == share)));
        }

        return Task.FromResult(response);
    }

    public override async Task<V1.ListGuestsResponse> ListGuests(V1.ListGuestsRequest request, ServerCallContext context)
    {
        ServedShare? only = request.Share.Length == 0 ? null : ShareOf(request.Share);
        V1.ListGuestsResponse response = new();
        foreach (ServedGuest guest in _server.Guests.Where(guest => only is null || guest.Share == only))
        {
            V1.Guest described = Describer.Describe(guest);
            if (guest.Session.CacheReport?.HitRatio is { } ratio)
            {
                described.HitRatio = ratio;
            }

            if (guest.Held is { } held)
            {
                described.HeldEntries = (ulong)await reports.Scans.RunAsync(() => HoldingsQuery.CountHeld(held), context.CancellationToken).ConfigureAwait(false);
                if (request.CountStale)
                {
                    described.StaleEntries = (ulong)await reports.Scans.RunAsync(() => HoldingsQuery.CountStale(held), context.CancellationToken).ConfigureAwait(false);
                }
            }

            response.Guests.Add(described);
        }

        return response;
    }
}
