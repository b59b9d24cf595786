using System.Diagnostics;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Telemetry.Instruments;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Hosting;

namespace Coherency.Daemon.Telemetry;

/// <summary>
/// Makes spans of the requests that sessions keep as samples, from a thread of its own: the threads that serve requests know
/// nothing of traces.
/// </summary>
internal sealed class RequestTraces : IHostedService, IDisposable
{
    /// <summary>How often samples are fetched: a ring of them is not full in that time, at 10,000 kept a second and thread.</summary>
    private const int PeriodMs = 100;

    private static readonly ActivitySource Source = new(TelemetryNames.Source);

    private readonly GuestServer _server;
    private readonly ManualResetEvent _stop = new(initialState: false);
    private readonly int _every;
    private IReadOnlyList<ServedGuest> _sampled = [];
    private Thread? _thread;
    private DateTime _now;
    private long _nowTimestamp;

    public RequestTraces(GuestServer server, TelemetrySettings settings)
    {
        _server = server;
        _every = settings.SampleEvery;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        SampleNew();
        // Without it there are no more spans, which are gone as when nobody takes them.
        _thread = GuardedThread.Start("request-traces", Run, static _ => { });
        return Task.CompletedTask;
    }

    /// <summary>Makes spans of what was kept until now.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _stop.Set();
        _thread?.Join();
        foreach (ServedGuest client in _sampled)
        {
            client.Session.Counters.Sample(0);
        }

        return Task.CompletedTask;
    }

    public void Dispose() => _stop.Dispose();

    private void Run()
    {
        bool stopped;
        do
        {
            stopped = _stop.WaitOne(PeriodMs);
            _nowTimestamp = Stopwatch.GetTimestamp();
            _now = DateTime.UtcNow;
            SampleNew();
            foreach (ServedGuest client in _sampled)
            {
                client.Session.Counters.TakeSamples(sample => MakeSpan(client, sample));
            }
        }
        while (!stopped);
    }

    /// <summary>Guests may have come since the last look.</summary>
    private void SampleNew()
    {
        IReadOnlyList<ServedGuest> present = _server.Guests;
        foreach (ServedGuest client in present.Except(_sampled))
        {
            client.Session.Counters.Sample(_every);
        }

        _sampled = present;
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
