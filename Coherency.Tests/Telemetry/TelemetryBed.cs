using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Daemon.Commands;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Daemon.Telemetry;
using Coherency.Guest;
using Coherency.Host.Coherence.Holdings;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Coherency.Tests.Telemetry;

/// <summary>Tests that count what this process counts.</summary>
[CollectionDefinition(TelemetryBed.OneAtATime)]
public sealed class TelemetryTests;

/// <summary>What <c>coherencyd serve</c> runs, in this process, with guests a and b, and its metrics on a port of the loopback.</summary>
internal sealed class TelemetryBed : IDisposable
{
    /// <summary>Meters are found by their name: two servers in one process would count for each other.</summary>
    public const string OneAtATime = "Telemetry";

    public const string GuestA = "a";
    public const string GuestB = "b";

    private readonly DirectoryInfo _work = System.IO.Directory.CreateTempSubdirectory("coherency-telemetry-");
    private readonly ServePlaces _places;
    private readonly WebApplication _host;

    public TelemetryBed(bool isDisabled = false)
    {
        Share = _work.CreateSubdirectory("share").FullName;
        ShareConfiguration share = new()
        {
            SharedDir = Share,
            Guests = [.. new[] { GuestA, GuestB }.Select(guest => new GuestConfiguration { Name = guest, Socket = SocketOf(guest) })],
            NumRequestQueues = 1,
        };
        ServeConfiguration configuration = new()
        {
            Shares = [share],
            Admin = new AdminConfiguration { Socket = Path.Combine(_work.FullName, "admin.sock") },
            Metrics = "0",
        };
        _places = ServePlaces.Take(configuration);
        _host = ServeHost.Build(
            configuration,
            _places,
            new LogSettings(LogLevel.None, LogFormat.Text),
            TelemetrySettings.Off with { IsDisabled = isDisabled });
        _host.StartAsync().Wait();
        Server = _host.Services.GetRequiredService<GuestServer>();
    }

    public GuestServer Server { get; }

    /// <summary>The shared directory.</summary>
    public string Share { get; }

    public string WorkFolder => _work.FullName;

    /// <summary>Where the metrics are, without the path.</summary>
    public Uri Address => new(_host.Urls.Single(url => url.StartsWith("http://127.0.0.1", StringComparison.Ordinal)));

    public VirtioFsGuest Connect(string guest) => VirtioFsGuest.Connect(SocketOf(guest));

    public string TableOf(string guest) => SocketOf(guest) + ".table";

    /// <summary>All metrics as text; OpenMetrics if asked for.</summary>
    public string Scrape(bool isOpenMetrics = false)
    {
        using HttpClient client = new();
        using HttpRequestMessage request = new(HttpMethod.Get, new Uri(Address, "/metrics"));
        request.Headers.Add("Accept", isOpenMetrics ? "application/openmetrics-text; version=1.0.0" : "text/plain");
        using HttpResponseMessage response = client.Send(request);
        response.EnsureSuccessStatusCode();
        Assert.StartsWith(
            isOpenMetrics ? "application/openmetrics-text" : "text/plain; version=0.0.4",
            response.Content.Headers.ContentType!.ToString(),
            StringComparison.Ordinal);
        using StreamReader reader = new(response.Content.ReadAsStream());
        return reader.ReadToEnd();
    }

    public void Dispose()
    {
        ((IDisposable)_host).Dispose();
        _places.Dispose();
        _work.Delete(recursive: true);
    }

    /// <summary>Guest a, which stays, holds what guest b then changes.</summary>
    /// <returns>How many entries guest a holds, and how many of them are stale.</returns>
    public (long Held, long Stale) MakeStale(VirtioFsGuest guest)
    {
        File.WriteAllText(Path.Combine(Share, "held"), "text");
        guest.Fuse.GetXattr(NodeId.Root, VersionTableLayout.AttachAttribute);
        guest.Fuse.Lookup(NodeId.Root, "held"u8);
        using (VirtioFsGuest other = Connect(GuestB))
        {
            other.Fuse.Rename(NodeId.Root, "held"u8, NodeId.Root, "moved"u8);
        }

        HeldEntries held = Server.Guests[0].Held!;
        return (HoldingsQuery.CountHeld(held), HoldingsQuery.CountStale(held));
    }

    private string SocketOf(string guest) => Path.Combine(_work.FullName, $"{guest}.sock");
}
