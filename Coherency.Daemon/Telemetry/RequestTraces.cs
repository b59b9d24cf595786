using System.Diagnostics;
using Coherency.Daemon.Hosting;
using Coherency.Host.Server.Statistics;

namespace Coherency.Daemon.Telemetry;

/// <summary>
/// Makes spans of the requests that sessions keep as samples, from a thread of its own: the threads that serve requests know
/// nothing of traces.
/// </summary>
internal sealed class RequestTraces : IDisposable
{
    /// <summary>How often samples are fetched: a ring of them is not full in that time, at 10,000 kept a second and thread.</summary>
    private const int PeriodMs = 100;

    private static readonly ActivitySource Source = new(TelemetryNames.Source);

    private readonly IReadOnlyList<ServedGuest> _clients;
    private readonly ManualResetEvent _stop = new(initialState: false);
    private readonly Thread _thread;
    private DateTime _now;
    private long _nowTimestamp;

    /// <param name="every">One request in so many.</param>
    public RequestTraces(IReadOnlyList<ServedGuest> clients, int every)
    {
        _clients = clients;
        foreach (ServedGuest client in clients)
        {
            client.Session.Counters.Sample(every);
        }

        _thread = new Thread(Run) { Name = "request-traces", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Makes spans of what was kept until now.</summary>
    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        foreach (ServedGuest client in _clients)
        {
            client.Session.Counters.Sample(0);
        }

        _stop.Dispose();
    }

    private void Run()
    {
        bool stopped;
        do
        {
            stopped = _stop.WaitOne(PeriodMs);
            _nowTimestamp = Stopwatch.GetTimestamp();
            _now = DateTime.UtcNow;
            foreach (ServedGuest client in _clients)
            {
                client.Session.Counters.TakeSamples(sample => MakeSpan(client, sample));
            }
        }
        while (!stopped);
    }

    private void MakeSpan(ServedGuest client, in RequestSample sample)
    {
        DateTime start = _now - Stopwatch.GetElapsedTime(sample.ArrivedAt, _nowTimestamp);
        string operation = TelemetryNames.OperationOf(sample.Opcode);
        using Activity? activity = Source.StartActivity(operation, ActivityKind.Server, default(ActivityContext), startTime: start);
        if (activity is null)
        {
            return;
        }

        activity.SetTag(TelemetryNames.Operation, operation);
        activity.SetTag(TelemetryNames.Guest, client.Name);
        activity.SetTag(TelemetryNames.Share, client.Share.Directory);
        activity.SetTag("fuse.node", $"{sample.Node.Value:x}");
        if (sample.Error != Core.Linux.Errno.None)
        {
            activity.SetTag(TelemetryNames.Error, TelemetryNames.ErrorOf(sample.Error));
        }

        activity.SetEndTime(start + TimeSpan.FromTicks(Math.Max(1, sample.Nanoseconds / TimeSpan.NanosecondsPerTick)));
    }
}
