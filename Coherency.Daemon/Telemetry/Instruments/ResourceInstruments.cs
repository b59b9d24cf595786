using System.Diagnostics.Metrics;
using Coherency.Daemon.Hosting;
using Coherency.Host.Passthrough;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>What is taken up: queues, inodes, descriptors.</summary>
internal sealed class ResourceInstruments
{
    private readonly GuestServer _server;

    public ResourceInstruments(Meter meter, GuestServer server)
    {
        _server = server;
        meter.CreateObservableUpDownCounter(
            "coherency.virtio.queue.depth",
            MeasureQueues,
            "{request}",
            "Requests in a virtqueue: not taken yet (waiting), or taken and not answered (in_flight)");
        meter.CreateObservableUpDownCounter(
            "coherency.inodes", MeasureInodes, "{inode}", "Inodes that clients of the share hold, its root included");
        meter.CreateObservableUpDownCounter(
            "coherency.descriptors", () => DescriptorBudget.Process.Used, "{descriptor}", "File descriptors open on behalf of clients");
        meter.CreateObservableUpDownCounter(
            "coherency.descriptors.limit",
            () => DescriptorBudget.Process.Limit,
            "{descriptor}",
            "Most file descriptors that may be open on behalf of clients");
        meter.CreateObservableUpDownCounter(
            "coherency.descriptors.kept",
            MeasureKept,
            "{descriptor}",
            "File descriptors that a client keeps for longer than a request; one of an inode that several hold counts for each");
    }

    private IEnumerable<Measurement<long>> MeasureQueues()
    {
        const string State = "coherency.queue.state";
        foreach (ServedGuest client in _server.Guests)
        {
            for (int queue = 0; queue < client.Loads.Count; queue++)
            {
                (int waiting, int inFlight) = client.Loads[queue].Read();
                KeyValuePair<string, object?>[] tags = [.. ClientTags.Of(client), new("virtio.queue", queue)];
                yield return new Measurement<long>(waiting, [.. tags, new(State, "waiting")]);
                yield return new Measurement<long>(inFlight, [.. tags, new(State, "in_flight")]);
            }
        }
    }

    private IEnumerable<Measurement<long>> MeasureKept() =>
        from client in _server.Guests
        select new Measurement<long>(client.Files?.KeptDescriptors ?? 0, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureInodes() =>
        from share in _server.Shares
        select new Measurement<long>(
            share.InodeCount, new KeyValuePair<string, object?>(TelemetryNames.Share, share.Options.SharedDirectory));
}
