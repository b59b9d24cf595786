using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Server.Statistics;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Reports;

/// <summary>The state of the daemon that runs.</summary>
internal sealed class DaemonState(DaemonReports reports, DaemonLookup lookup) : IDaemonState
{
    private const int HeatBucketsMax = 4096;

    private static readonly double[] DurationBounds = [.. DurationBuckets.Bounds.ToArray().Select(bound => bound / 1e9)];

    private readonly GuestServer _server = reports.Server;

    public V1.ListSharesResponse ListShares()
    {
        V1.ListSharesResponse response = new();
        response.Shares.AddRange(
            _server.ServedShares.Select(share => Describer.Describe(share, _server.Guests.Where(guest => guest.Share == share))));
        return response;
    }

    public async Task<V1.ListGuestsResponse> ListGuestsAsync(V1.ListGuestsRequest request, CancellationToken cancellation)
    {
        ServedShare? only = request.Share.Length == 0 ? null : lookup.ShareOf(request.Share);
        V1.ListGuestsResponse response = new() { At = Timestamp.FromDateTime(DateTime.UtcNow) };
        response.DurationBoundsSeconds.AddRange(DurationBounds);
        foreach (ServedGuest guest in _server.Guests.Where(guest => only is null || guest.Share == only))
        {
            V1.Guest described = Describer.Describe(guest, request.Operations);
            if (guest.Held is { } held)
            {
                described.HeldEntries = await CountAsync(held, HoldingsQuery.CountHeld, cancellation).ConfigureAwait(false);
                if (request.CountStale)
                {
                    described.StaleEntries = await CountAsync(held, HoldingsQuery.CountStale, cancellation).ConfigureAwait(false);
                }
            }

            response.Guests.Add(described);
        }

        return response;
    }

    public IEnumerable<KeyValuePair<string, long>> CountRequests() =>
        _server.Guests.Select(guest => KeyValuePair.Create(guest.Name, guest.Session.Counters.Total));

    public async Task<V1.GetTableResponse> GetTableAsync(V1.GetTableRequest request, CancellationToken cancellation)
    {
        ServedGuest guest = lookup.GuestOf(request.Guest);
        if (guest.Table is not { } view)
        {
            throw DaemonLookup.Refuse(
                StatusCode.FailedPrecondition,
                $"{guest.Name} has no version table: only guests that are served with cache mode coherent have one");
        }

        int bucketsMax = Math.Min(HeatBucketsMax, view.Table.SlotCount);
        if (request.HeatBuckets > bucketsMax)
        {
            throw DaemonLookup.Refuse(StatusCode.InvalidArgument, $"{request.HeatBuckets} heat buckets: 0 to {bucketsMax} are possible");
        }

        TableReport report = await reports.Tables.LookAsync(guest, (int)request.HeatBuckets, cancellation).ConfigureAwait(false);
        return Describer.Describe(guest, view.Table, report);
    }

    public async Task<V1.ListStaleEntriesResponse> ListStaleAsync(V1.ListStaleEntriesRequest request, CancellationToken cancellation)
    {
        StaleFilter filter = ToFilter(request);
        return HoldingsDescriber.Describe(
            await ReadStaleAsync(filter, (int)request.PageSize, request.PageToken, cancellation).ConfigureAwait(false));
    }

    /// <summary>Of a filter that <see cref="ToFilter"/> made. Looking at a million entries takes a while.</summary>
    public Task<StalePage> ReadStaleAsync(StaleFilter filter, int most, string? token, CancellationToken cancellation) =>
        reports.Scans.RunAsync(
            () => reports.Holdings.TryListStale(filter, most, token, out StalePage page) ? page : throw DaemonLookup.Refuse(
                StatusCode.InvalidArgument,
                $"the page token '{token}' is none: pass the next_page_token of the page before, or none for the first page"),
            cancellation);

    public StaleFilter ToFilter(V1.ListStaleEntriesRequest request)
    {
        ServedShare? share = request.Share.Length == 0 ? null : lookup.ShareOf(request.Share);
        ServedGuest? guest = request.Guest.Length == 0 ? null : lookup.RecordedGuestOf(request.Guest);
        if (guest is not null && share is not null && guest.Share != share)
        {
            throw DaemonLookup.Refuse(
                StatusCode.InvalidArgument,
                $"{guest.Name} is a guest of {guest.Share.Directory}, not of {share.Directory}: give one of them");
        }

        lookup.RequireHoldings();
        HeldKinds kinds = HoldingsDescriber.ToKinds(request.Kinds) ?? throw DaemonLookup.Refuse(
            StatusCode.InvalidArgument, "there is no such kind of entry: dentry, negative dentry, attributes, symlink and directory are");
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

    private async Task<ulong> CountAsync(HeldEntries held, Func<HeldEntries, long> count, CancellationToken cancellation) =>
        (ulong)await reports.Scans.RunAsync(() => count(held), cancellation).ConfigureAwait(false);

    private static TimeSpan MinimumAgeOf(V1.ListStaleEntriesRequest request)
    {
        const long SecondsMax = 100L * 365 * 24 * 3600;
        if (request.MinimumAge is null)
        {
            return TimeSpan.Zero;
        }

        return request.MinimumAge is { Seconds: >= 0 and <= SecondsMax, Nanos: >= 0 and <= 999_999_999 }
            ? request.MinimumAge.ToTimeSpan()
            : throw DaemonLookup.Refuse(StatusCode.InvalidArgument, "a minimum age is between nothing and a hundred years");
    }
}
