using Coherency.Core.Fuse;
using Coherency.Guest;
using Coherency.Guest.Fuse;
using Coherency.Host.Server.Statistics;
using Coherency.Tests.Daemon;

namespace Coherency.Tests.Telemetry.Otlp;

/// <summary>What the build leaves.</summary>
public sealed class OtlpExportTests() : OtlpExportScenarios(DaemonProgram.Built);

/// <summary>The daemon, as its users start it, really sends what the standard variables ask for.</summary>
public abstract class OtlpExportScenarios(DaemonProgram program) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-otlp-");

    public void Dispose()
    {
        _work.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("grpc")]
    [InlineData("http/protobuf")]
    public void Metrics_traces_and_logs_arrive(string protocol)
    {
        const int Lookups = 100;
        const int Failures = 20;
        using OtlpReceiver receiver = new(isGrpc: protocol == "grpc");
        using RunningDaemon daemon = Start(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_SERVICE_NAME", "files-of-the-test"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "300"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"));
        Work(Lookups, Failures);

        AwaitLookups(receiver, Lookups);
        Assert.Equal(0, daemon.Stop());
        CheckMetrics(receiver, Lookups, Failures);
        CheckSpans(receiver, Lookups, Failures);
        Assert.Contains(receiver.Logs, log => log.Contains("VMM connected", StringComparison.Ordinal));
        Assert.All(
            receiver.Resources,
            resource => Assert.Equal(("files-of-the-test", "test"), (resource["service.name"], resource["deployment.environment"])));
    }

    [Fact]
    public void Without_an_endpoint_nothing_is_sent_and_nothing_fails()
    {
        using RunningDaemon daemon = Start(("OTEL_METRIC_EXPORT_INTERVAL", "100"));
        Work(10, 0);
        Assert.Equal(0, daemon.Stop());
        Assert.DoesNotContain("fail", daemon.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Disabled_nothing_is_sent_although_there_is_an_endpoint()
    {
        using OtlpReceiver receiver = new(isGrpc: false);
        using RunningDaemon daemon = Start(
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"));
        Work(10, 0);
        Assert.Equal(0, daemon.Stop());
        Assert.True(receiver.IsEmpty);
    }

    /// <summary>Nobody listens there: the daemon serves and stops all the same.</summary>
    [Fact]
    public void A_receiver_that_is_not_there_holds_up_nobody()
    {
        using RunningDaemon daemon = Start(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_METRIC_EXPORT_INTERVAL", "100"));
        Work(1000, 0);
        Assert.Equal(0, daemon.Stop());
    }

    private static void CheckMetrics(OtlpReceiver receiver, int lookups, int failures)
    {
        ReceivedMetric requests = receiver.Metrics.Last(metric => metric.Name == "coherency.fuse.requests");
        Assert.Equal("{request}", requests.Unit);
        Assert.Equal(lookups, requests.Numbers.Single(point => point.Attributes["fuse.operation"] == "LOOKUP").Value);
        Assert.Equal(failures, requests.Numbers.Single(point => point.Attributes.GetValueOrDefault("error.type") == "ENOENT").Value);

        ReceivedMetric durations = receiver.Metrics.Last(metric => metric.Name == "coherency.fuse.request.duration");
        Assert.Equal("s", durations.Unit);
        (_, ulong count, ulong[] buckets, double[] bounds) = durations.Histograms.Single(
            point => point.Attributes["fuse.operation"] == "LOOKUP");
        Assert.Equal((ulong)lookups, count);
        Assert.Equal((ulong)lookups, buckets.Aggregate((sum, next) => sum + next));
        Assert.Equal(DurationBuckets.Bounds.ToArray().Select(bound => bound / 1e9), bounds);
        Assert.Contains(receiver.Metrics, metric => metric.Name == "dotnet.gc.collections");
    }

    /// <summary>One queue's thread serves all, and every tenth of its requests is kept.</summary>
    private static void CheckSpans(OtlpReceiver receiver, int lookups, int failures)
    {
        int requests = lookups + failures;
        Assert.InRange(receiver.Spans.Count(), requests / 10, (requests / 10) + 2);
        var failed = receiver.Spans.First(span => span.Name == "RMDIR");
        Assert.Equal(("ENOENT", "a"), (failed.Attributes["error.type"], failed.Attributes["coherency.guest"]));
        Assert.All(receiver.Spans, span => Assert.InRange(span.Duration, TimeSpan.Zero, Patience));
    }

    private static void AwaitLookups(OtlpReceiver receiver, int count) => Assert.True(
        SpinWait.SpinUntil(
            () => receiver.Metrics.Any(metric => metric.Name == "coherency.fuse.requests"
                && metric.Numbers.Any(point => point.Attributes["fuse.operation"] == "LOOKUP" && point.Value == count)),
            Patience),
        "the metrics did not arrive");

    private void Work(int lookups, int failures)
    {
        using VirtioFsGuest guest = VirtioFsGuest.Connect(Path.Combine(_work.FullName, "a.sock"));
        for (int i = 0; i < lookups; i++)
        {
            guest.Fuse.Lookup(NodeId.Root, "name"u8);
        }

        for (int i = 0; i < failures; i++)
        {
            Assert.Throws<FuseException>(() => guest.Fuse.RmDir(NodeId.Root, "no such directory"u8));
        }
    }

    private RunningDaemon Start(params (string Name, string Value)[] environment)
    {
        string share = _work.CreateSubdirectory("share").FullName;
        string[] arguments =
        [
            "serve", "--shared-dir", share, "--guest", $"a={_work.FullName}/a.sock", "--num-request-queues", "1", "--no-admin",
        ];
        return RunningDaemon.Start(program, arguments, environment);
    }
}
