using System.Diagnostics.Metrics;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Daemon.Hosting;
using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Telemetry.Instruments;

/// <summary>
/// What becomes of requests, by client and operation. All of it is read from the sessions' counters when it is asked for.
/// </summary>
internal sealed class RequestInstruments
{
    /// <summary>An instrument with bounds of its own must be told to the provider too.</summary>
    public const string DurationName = "coherency.fuse.request.duration";

    private readonly GuestServer _server;
    private readonly HistogramFeed? _feed;
    private readonly Lock _feeding = new();

    /// <param name="feedsHistogram">Somebody collects who needs a histogram of OpenTelemetry.</param>
    public RequestInstruments(Meter meter, GuestServer server, bool feedsHistogram)
    {
        _server = server;
        Durations = new DurationMetric(
            DurationName, "From when a thread was free for a request that was there, to its reply", ReadDurations);
        _feed = feedsHistogram ? new HistogramFeed(meter, Durations) : null;
        meter.CreateObservableCounter(
            "coherency.fuse.requests",
            MeasureRequests,
            "{request}",
            "FUSE requests that were carried out; error.type is there when they failed");
        meter.CreateObservableUpDownCounter(
            "coherency.fuse.active_requests", MeasureActive, "{request}", "FUSE requests on their way; those that wait for a lock are");
        meter.CreateObservableCounter(
            "coherency.fuse.malformed_requests", MeasureMalformed, "{request}", "Requests that could not be decoded and were refused");
        meter.CreateObservableCounter("coherency.fuse.io", MeasureBytes, "By", "File data that READs returned and WRITEs wrote");
    }

    public DurationMetric Durations { get; }

    /// <summary>Durations are passed on first: all that is collected together is then of one moment, or nearly.</summary>
    private List<Measurement<long>> MeasureRequests()
    {
        lock (_feeding)
        {
            _feed?.PassOn();
        }

        List<Measurement<long>> measurements = [];
        foreach ((ServedGuest client, FuseOpcode opcode, OperationTotals totals) in ReadAll())
        {
            KeyValuePair<string, object?>[] tags = TagsOf(client, opcode);
            measurements.Add(new Measurement<long>(totals.Finished - totals.Errors.Sum(error => error.Count), tags));
            foreach ((Errno error, long count) in totals.Errors)
            {
                measurements.Add(new Measurement<long>(count, [.. tags, new(TelemetryNames.Error, TelemetryNames.ErrorOf(error))]));
            }
        }

        return measurements;
    }

    private IEnumerable<DurationSeries> ReadDurations() =>
        from read in ReadAll()
        select new DurationSeries((read.Client, read.Opcode), TagsOf(read.Client, read.Opcode), read.Totals.Durations);

    private IEnumerable<Measurement<long>> MeasureActive() =>
        from read in ReadAll()
        select new Measurement<long>(read.Totals.InFlight, TagsOf(read.Client, read.Opcode));

    private IEnumerable<Measurement<long>> MeasureMalformed() =>
        from client in _server.Guests
        select new Measurement<long>(client.Session.Counters.Malformed, ClientTags.Of(client));

    private IEnumerable<Measurement<long>> MeasureBytes()
    {
        const string Direction = "fuse.io.direction";
        foreach (ServedGuest client in _server.Guests)
        {
            KeyValuePair<string, object?>[] tags = ClientTags.Of(client);
            yield return new Measurement<long>(client.Session.Counters.BytesRead, [.. tags, new(Direction, "read")]);
            yield return new Measurement<long>(client.Session.Counters.BytesWritten, [.. tags, new(Direction, "write")]);
        }
    }

    /// <summary>Operations that a client has never asked for are left out.</summary>
    private IEnumerable<(ServedGuest Client, FuseOpcode Opcode, OperationTotals Totals)> ReadAll() =>
        from client in _server.Guests
        from opcode in Enum.GetValues<FuseOpcode>()
        where client.Session.Counters[opcode] > 0
        select (client, opcode, client.Session.Counters.Read(opcode));

    private static KeyValuePair<string, object?>[] TagsOf(ServedGuest client, FuseOpcode opcode) =>
        [.. ClientTags.Of(client), new(TelemetryNames.Operation, TelemetryNames.OperationOf(opcode))];
}
