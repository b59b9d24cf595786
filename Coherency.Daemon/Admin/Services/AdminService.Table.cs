using Coherency.Core.Versioning;
using Coherency.Daemon.Grpc;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Reports;
using Coherency.Host.Coherence;
using Google.Protobuf.WellKnownTypes;
using V1 = Coherency.Admin.V1;

namespace Coherency.Daemon.Admin.Services;

internal sealed partial class AdminService
{
    private const int HeatBucketsMax = 4096;

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

        TableReport report = await reports.Tables.LookAsync(guest, buckets, context.CancellationToken).ConfigureAwait(false);
        return Describe(guest, view.Table, report);
    }

    private static V1.GetTableResponse Describe(ServedGuest guest, VersionTableWriter table, TableReport report)
    {
        V1.GetTableResponse response = new()
        {
            Slots = (ulong)table.SlotCount,
            Moves = report.Rate.Moves,
            MovesPerSecond = report.Rate.MovesPerSecond,
            SlotsInChange = (ulong)report.Rate.SlotsInChange,
            HeldEntries = (ulong)report.HeldEntries,
            OccupiedSlots = (ulong)report.OccupiedSlots,
            ExpectedFalseStalePerSecond = report.ExpectedFalseStalePerSecond,
            Epoch = table.Epoch,
            HeartbeatAge = table.HeartbeatAge is { } age ? Duration.FromTimeSpan(age) : null,
            HeartbeatBound = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(Heartbeat.BoundMs)),
            Path = Configuration.ConfigurationFile.TablePathOf(guest.Share.Configuration, ConfigurationOf(guest)),
        };
        response.Heat.AddRange(report.Heat);
        return response;
    }

    private static Configuration.GuestConfiguration ConfigurationOf(ServedGuest guest) =>
        guest.Share.Configuration.Guests.First(configuration => configuration.Name == guest.Name);
}
