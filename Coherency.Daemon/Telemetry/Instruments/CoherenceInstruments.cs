using System.Diagnostics.Metrics;
using Coherency.Core.Fuse;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>How the version tables move, and whether their readers may believe them.</summary>
internal sealed class CoherenceInstruments
{
    private readonly GuestServer _server;
    private readonly IHeldEntryCounts? _held;

    /// <param name="held">Null when nobody counts what guests hold.</param>
    public CoherenceInstruments(Meter meter, GuestServer server, IHeldEntryCounts? held)
    {
        _server = server;
        _held = held;
        meter.CreateObservableCounter("coherency.table.moves", MeasureMoves, "{slot}", "Slots moved in the tables of others, by who made the change; one in three tables counts three times");
        meter.CreateObservableCounter("coherency.table.epoch.moves", MeasureEpochs, "{move}", "How often everything that a guest had cached became stale at once");
        meter.CreateObservableGauge("coherency.table.heartbeat.age", MeasureHeartbeats, "s", "How long ago an attached guest could last see that the daemon lives");
        meter.CreateObservableUpDownCounter("coherency.table.attached", MeasureAttached, "{guest}", "1 while the guest consults its table");
        if (held is not null)
        {
            meter.CreateObservableUpDownCounter("coherency.held.entries", () => MeasureEntries(isStale: false), "{entry}", "What a guest was given and may hold still");
            meter.CreateObservableUpDownCounter("coherency.stale.entries", () => MeasureEntries(isStale: true), "{entry}", "What a guest may hold although it is no longer true");
        }
    }

    private IEnumerable<Measurement<long>> MeasureMoves()
    {
        foreach (ServedClient client in _server.Clients)
        {
            foreach (FuseOpcode opcode in Enum.GetValues<FuseOpcode>())
            {
                long moved = client.Session.Counters.Read(opcode).SlotsMoved;
                if (moved > 0)
                {
                    yield return new Measurement<long>(
                        moved,
                        new(TelemetryNames.Actor, client.Name),
                        new(TelemetryNames.Share, client.Share),
                        new(TelemetryNames.Operation, TelemetryNames.OperationOf(opcode)));
                }
            }
        }

        // Shares that reach the same files are one group, named by the first of them.
        foreach (IGrouping<ShareGroup, PassthroughShare> group in _server.Shares.GroupBy(share => share.Group))
        {
            yield return new Measurement<long>(
                group.Key.SlotsMovedByHost,
                new(TelemetryNames.Actor, TelemetryNames.Host),
                new(TelemetryNames.Share, group.First().Options.SharedDirectory));
        }
    }

    private IEnumerable<Measurement<long>> MeasureEpochs() =>
        from client in Coherent
        from reason in Enum.GetValues<EpochReason>()
        select new Measurement<long>(
            client.View!.EpochMoves(reason), [.. ClientTags.Of(client), new("coherency.reason", reason.ToString().ToLowerInvariant())]);

    private IEnumerable<Measurement<double>> MeasureHeartbeats() =>
        from client in Coherent
        let age = client.View!.HeartbeatAge
        where age is not null
        select new Measurement<double>(age.Value.TotalSeconds, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureAttached() =>
        from client in Coherent
        select new Measurement<long>(client.View!.IsAttached ? 1 : 0, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureEntries(bool isStale)
    {
        foreach (ServedClient client in _server.Clients)
        {
            (long held, long stale) = _held!.CountOf(client.Name);
            yield return new Measurement<long>(isStale ? stale : held, ClientTags.Of(client));
        }
    }

    private IEnumerable<ServedClient> Coherent => _server.Clients.Where(client => client.View is not null);
}
