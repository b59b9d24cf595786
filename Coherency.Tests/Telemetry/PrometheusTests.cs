using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Coherency.Core.Fuse;
using Coherency.Guest;

namespace Coherency.Tests.Telemetry;

/// <summary>A real Prometheus understands what is exported.</summary>
[Collection(TelemetryBed.OneAtATime)]
public sealed class PrometheusTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TelemetryBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Promtool_finds_nothing_to_complain_of()
    {
        Lookup(3);
        ChildResult checking = ChildProcess.Run("promtool", ["check", "metrics"], _bed.Scrape());
        Assert.True(checking.ExitCode == 0, checking.Output + checking.Errors);
        Assert.Equal("", checking.Output + checking.Errors);
    }

    [Fact]
    public void Disabled_there_is_nothing_to_scrape()
    {
        using TelemetryBed disabled = new(isDisabled: true);
        Assert.Equal("", disabled.Scrape());
        Assert.Equal("# EOF\n", disabled.Scrape(isOpenMetrics: true));
    }

    [Fact]
    public void OpenMetrics_says_units_and_has_an_end()
    {
        string text = _bed.Scrape(isOpenMetrics: true);
        Assert.EndsWith("# EOF\n", text, StringComparison.Ordinal);
        Assert.Contains("# TYPE coherency_fuse_io_bytes counter\n# UNIT coherency_fuse_io_bytes bytes\n", text, StringComparison.Ordinal);
        Assert.Contains("\ncoherency_fuse_io_bytes_total{", text, StringComparison.Ordinal);
        Assert.Contains("# TYPE target info\n", text, StringComparison.Ordinal);
    }

    /// <summary>What belongs to the administration is not there, though the same server answers it on its socket.</summary>
    [Theory]
    [InlineData("/coherency.admin.v1.Admin/ListGuests")]
    [InlineData("/grpc.health.v1.Health/Check")]
    [InlineData("/no.Such/Service")]
    public async Task Nothing_else_is_answered_where_metrics_are(string path)
    {
        using HttpClient client = new();
        using ByteArrayContent call = new(Admin.RawCall.Frame([]));
        call.Headers.ContentType = new("application/grpc");
        using HttpResponseMessage response = await client.PostAsync(new Uri(_bed.Address, path), call);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    /// <summary>It asks for OpenMetrics, whose reader is the stricter one.</summary>
    [Fact]
    public void Prometheus_scrapes_and_answers_with_the_right_numbers()
    {
        const int Count = 77;
        Lookup(Count);
        using VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA);
        (_, long stale) = _bed.MakeStale(guest);
        Assert.True(stale > 0);
        int port = FreePort.Find();
        string configuration = Path.Combine(_bed.WorkFolder, "prometheus.yml");
        File.WriteAllText(configuration, $$"""
            global: { scrape_interval: 200ms, scrape_timeout: 200ms }
            scrape_configs:
              - job_name: coherencyd
                static_configs: [ { targets: [ "{{_bed.Address.Authority}}" ] } ]
            """);
        using CompanionProcess prometheus = CompanionProcess.Start(
            "prometheus",
            [$"--config.file={configuration}", $"--storage.tsdb.path={_bed.WorkFolder}/data", $"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error"]);
        Assert.Equal(Count + 1, Await(port, "sum(coherency_fuse_requests_total{coherency_guest=\"a\",fuse_operation=\"LOOKUP\"})"));
        Assert.Equal(Count + 1, Await(port, "sum(coherency_fuse_request_duration_seconds_count{fuse_operation=\"LOOKUP\"})"));
        Assert.Equal(1, Await(port, "up{job=\"coherencyd\"}"));
        Assert.Equal(stale, Await(port, "sum(coherency_stale_entries)"));
        // Half of all lookups took less than what is said of them all.
        Assert.InRange(
            Await(port, "histogram_quantile(0.5, sum by (le) (coherency_fuse_request_duration_seconds_bucket{fuse_operation=\"LOOKUP\"}))"),
            1e-7,
            10);
    }

    private void Lookup(int count)
    {
        using VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA);
        for (int i = 0; i < count; i++)
        {
            guest.Fuse.Lookup(NodeId.Root, "name"u8);
        }
    }

    /// <summary>The value of a query with one result, as soon as it has one.</summary>
    private static double Await(int port, string query)
    {
        using HttpClient client = new();
        double? value = null;
        Assert.True(SpinWait.SpinUntil(() => (value = Ask(client, port, query)) is not null, Patience), $"no answer to {query}");
        return value!.Value;
    }

    private static double? Ask(HttpClient client, int port, string query)
    {
        try
        {
            using HttpRequestMessage request = new(
                HttpMethod.Get,
                $"http://127.0.0.1:{port}/api/v1/query?query={Uri.EscapeDataString(query)}");
            using HttpResponseMessage response = client.Send(request);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                return null;
            }

            using JsonDocument answer = JsonDocument.Parse(response.Content.ReadAsStream());
            JsonElement result = answer.RootElement.GetProperty("data").GetProperty("result");
            return result.GetArrayLength() == 0
                ? null
                : double.Parse(result[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
        }
        catch (HttpRequestException)
        {
            // It has not begun to listen.
            return null;
        }
    }
}
