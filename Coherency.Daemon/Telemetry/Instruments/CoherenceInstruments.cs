using System.Diagnostics.Metrics;
using Coherency.Core.Fuse;
using Coherency.Daemon.Hosting;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>How the version tables move, and whether their readers may believe them.</summary>
internal sealed class CoherenceInstruments
{
    private readonly GuestServer _server;

    public CoherenceInstruments(Meter meter, GuestServer server)
    {
        _server = server;
        meter.CreateObservableCounter(
            "coherency.table.moves",
            MeasureMoves,
            "{slot}",
            "Slots moved in the tables of others, by who made the change; one in three tables counts three times");
        meter.CreateObservableCounter(
            "coherency.table.epoch.moves", MeasureEpochs, "{move}", "How often everything that a guest had cached became stale at once");
        meter.CreateObservableGauge(
            "coherency.table.heartbeat.age", MeasureHeartbeats, "s", "How long ago an attached guest could last see that the daemon lives");
        meter.CreateObservableUpDownCounter("coherency.table.attached", MeasureAttached, "{guest}", "1 while the guest consults its table");
        meter.CreateObservableCounter(
            "coherency.events", MeasureEvents, "{event}", "What guests that listen are told of others' changes, by what became of it");
        meter.CreateObservableUpDownCounter(
            "coherency.events.listeners", MeasureListeners, "{guest}", "1 while the guest is told what others change");
        meter.CreateObservableUpDownCounter(
            "coherency.held.entries",
            () => MeasureEntries(HoldingsQuery.CountHeld),
            "{entry}",
            "What a guest was given and may hold still");
        meter.CreateObservableUpDownCounter(
            "coherency.stale.entries",
            () => MeasureEntries(HoldingsQuery.CountStale),
            "{entry}",
            "What a guest may hold although it is no longer true");
    }

    private IEnumerable<Measurement<long>> MeasureMoves()
    {
        foreach (ServedGuest client in _server.Guests)
        {
            foreach (FuseOpcode opcode in Enum.GetValues<FuseOpcode>())
            {
                long moved = client.Session.Counters.Read(opcode).SlotsMoved;
                if (moved > 0)
                {
                    yield return new Measurement<long>(
                        moved,
                        new(TelemetryNames.Actor, client.Name),
                        new(TelemetryNames.Share, client.Share.Directory),
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

    private IEnumerable<Measurement<long>> MeasureEvents()
    {
        foreach (IGrouping<ShareGroup, PassthroughShare> group in _server.Shares.GroupBy(share => share.Group))
        {
            EventCounts counts = group.Key.Events.Counts;
            string share = group.First().Options.SharedDirectory;
            yield return Of("queued", counts.Queued);
            yield return Of("merged", counts.Merged);
            yield return Of("sent", counts.Sent);
            yield return Of("lost", counts.Lost);

            Measurement<long> Of(string state, long count) =>
                new(count, new(TelemetryNames.Share, share), new("coherency.event.state", state));
        }
    }

    private IEnumerable<Measurement<long>> MeasureListeners() =>
        from client in Coherent
        select new Measurement<long>(client.Session.HearsOfChanges ? 1 : 0, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureEpochs() =>
        from client in Coherent
        from reason in Enum.GetValues<EpochReason>()
        select new Measurement<long>(
            client.Table!.EpochMoves(reason), [.. ClientTags.Of(client), new("coherency.reason", reason.ToString().ToLowerInvariant())]);

    private IEnumerable<Measurement<double>> MeasureHeartbeats() =>
        from client in Coherent
        let age = client.Table!.HeartbeatAge
        where age is not null
        select new Measurement<double>(age.Value.TotalSeconds, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureAttached() =>
        from client in Coherent
        select new Measurement<long>(client.Table!.IsAttached ? 1 : 0, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureEntries(Func<HeldEntries, long> count) =>
        from client in _server.Guests
        let held = client.Held
        where held is not null
        select new Measurement<long>(count(held), ClientTags.Of(client));

    private IEnumerable<ServedGuest> Coherent => _server.Guests.Where(client => client.Table is not null);
}
