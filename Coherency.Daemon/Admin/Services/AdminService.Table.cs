using Coherency.Core.Versioning;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Holdings;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    private const int HeatBucketsMax = 4096;

    private readonly Dictionary<ServedGuest, TableMoves> _moves =
        server.Guests.Where(guest => guest.Table is not null).ToDictionary(guest => guest, guest => new TableMoves(guest.Table!.Table));

    public override async Task<V1.GetTableResponse> GetTable(V1.GetTableRequest request, ServerCallContext context)
    {
        ServedGuest guest = GuestOf(request.Guest);
        if (guest.Table is not { } view)
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"{guest.Name} has no version table: only guests that are served with cache mode coherent have one"));
        }

        int buckets = (int)Math.Min(request.HeatBuckets, int.MaxValue);
        int bucketsMax = Math.Min(HeatBucketsMax, view.Table.SlotCount);
        if (buckets > bucketsMax)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"{request.HeatBuckets} heat buckets: 0 to {bucketsMax} are possible"));
        }

        ulong[] heat = new ulong[buckets];
        // A table of the largest size takes a while to look at.
        TableRate rate = await _moves[guest].LookAsync(heat, context.CancellationToken).ConfigureAwait(false);
        return Describe(guest, view.Table, rate, heat);
    }

    private static V1.GetTableResponse Describe(ServedGuest guest, VersionTableWriter table, TableRate rate, ulong[] heat)
    {
        V1.GetTableResponse response = new()
        {
            Slots = (ulong)table.SlotCount,
            Moves = rate.Moves,
            MovesPerSecond = rate.MovesPerSecond,
            SlotsInChange = (ulong)rate.SlotsInChange,
            Epoch = table.Epoch,
            HeartbeatAge = table.HeartbeatAge is { } age ? Duration.FromTimeSpan(age) : null,
            HeartbeatBound = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(Heartbeat.BoundMs)),
            Path = Configuration.ConfigurationFile.TablePathOf(guest.Share.Configuration, ConfigurationOf(guest)),
        };
        response.Heat.AddRange(heat);
        if (guest.Held is { } held)
        {
            long entries = HoldingsQuery.CountHeld(held);
            response.HeldEntries = (ulong)entries;
            response.OccupiedSlots = (ulong)HoldingsQuery.CountOccupiedSlots(held);
            // Every move hits a given slot with the same probability; a slot that moves makes all that hash to it stale.
            response.ExpectedFalseStalePerSecond = rate.MovesPerSecond * entries / table.SlotCount;
        }

        return response;
    }

    private static Configuration.GuestConfiguration ConfigurationOf(ServedGuest guest) =>
        guest.Share.Configuration.Guests.First(configuration => configuration.Name == guest.Name);
}
