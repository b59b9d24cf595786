using System.Net.Http.Headers;
using System.Text.Json;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.VirtualMachines;
using Coherency.Tests.Daemon;
using Coherency.Tests.Telemetry;
using Coherency.Tests.Vm;

namespace Coherency.Tests.Published;

/// <summary>What people download serves coherent guests, and shows them to a browser and to Prometheus.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedServeTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-published-");
    private readonly DaemonProgram _program;
    private readonly string _share;
    private readonly int _metrics = FreePort.Find();
    private readonly RunningDaemon _daemon;

    public PublishedServeTests(PublishedDaemon published)
    {
        _program = published.Program;
        _share = _work.CreateSubdirectory("share").FullName;
        _daemon = RunningDaemon.Start(_program,
        [
            "serve", "--shared-dir", _share, "--tag", SharingDaemon.Tag, "--guest", $"a={SocketOf("a")}", "--guest", $"b={SocketOf("b")}",
            "--admin-socket", AdminSocket, "--dashboard", "0", "--metrics", $"{_metrics}",
        ]);
    }

    private string AdminSocket => Path.Combine(_work.FullName, "admin.sock");

    public void Dispose()
    {
        _daemon.Dispose();
        _work.Delete(recursive: true);
    }

    [Fact]
    public void The_demo_finds_everything_coherent()
    {
        ChildResult demo = _program.Run("demo");
        Assert.True(demo.ExitCode == 0, demo.Output + demo.Errors);
        Assert.Contains("steps were checked", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Guests_in_user_space_are_coherent_with_each_other()
    {
        using VirtioFsGuest a = VirtioFsGuest.Connect(SocketOf("a"));
        using VirtioFsGuest b = VirtioFsGuest.Connect(SocketOf("b"));
        using VersionTableReader tableOfA = VersionTableReader.Open(TableOf("a"));
        using VersionTableReader tableOfB = VersionTableReader.Open(TableOf("b"));
        using CoherentCache cacheOfA = CoherentCache.Attach(a.Fuse, tableOfA);
        using CoherentCache cacheOfB = CoherentCache.Attach(b.Fuse, tableOfB);
        Assert.Null(cacheOfA.Lookup(NodeId.Root, "file"));
        NodeId file = cacheOfB.CreateFile(NodeId.Root, "file");
        Assert.Equal(file, cacheOfA.Lookup(NodeId.Root, "file"));
        long hits = cacheOfA.Hits;
        Assert.Equal(file, cacheOfA.Lookup(NodeId.Root, "file"));
        Assert.Equal(hits + 1, cacheOfA.Hits);
        cacheOfB.Rename(NodeId.Root, "file", NodeId.Root, "moved");
        Assert.Null(cacheOfA.Lookup(NodeId.Root, "file"));
        Assert.Equal(file, cacheOfA.Lookup(NodeId.Root, "moved"));
        Assert.Equal(["moved"], cacheOfA.List(NodeId.Root));
    }

    [Fact]
    public async Task The_dashboard_has_its_page_and_its_data()
    {
        File.WriteAllText(Path.Combine(_share, "held"), "text");
        using VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("a"));
        guest.Fuse.GetXattr(NodeId.Root, VersionTableLayout.AttachAttribute);
        guest.Fuse.Lookup(NodeId.Root, "held"u8);
        using (VirtioFsGuest other = VirtioFsGuest.Connect(SocketOf("b")))
        {
            other.Fuse.Unlink(NodeId.Root, "held"u8);
        }

        Uri address = new(_program.Run("admin", "--socket", AdminSocket, "dashboard").Output);
        using HttpClient browser = new() { BaseAddress = new Uri(address, "/") };
        using HttpRequestMessage signIn = new(HttpMethod.Get, "/session")
        {
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", address.Fragment["#token=".Length..]) },
        };
        using HttpResponseMessage session = await browser.SendAsync(signIn);
        Assert.True(session.IsSuccessStatusCode, session.ToString());
        foreach (string file in Directory.EnumerateFiles(PageFolder, "*", SearchOption.AllDirectories))
        {
            string path =
                Path.GetRelativePath(PageFolder, file) switch { "index.html" => "", "sign-in.html" => "sign-in", string itself => itself };
            Assert.Equal(await File.ReadAllBytesAsync(file), await browser.GetByteArrayAsync(path));
        }

        using JsonDocument guests = JsonDocument.Parse(await browser.GetStringAsync("/api/guests"));
        Assert.Contains("\"a\"", guests.RootElement.GetRawText(), StringComparison.Ordinal);
        using JsonDocument table = JsonDocument.Parse(await browser.GetStringAsync("/api/table/a?buckets=64"));
        Assert.NotEmpty(table.RootElement.EnumerateObject());
        Assert.Contains("\"held\"", await browser.GetStringAsync("/api/stale"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prometheus_is_told_of_requests_by_guest()
    {
        const int Lookups = 25;
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(SocketOf("b")))
        {
            for (int i = 0; i < Lookups; i++)
            {
                guest.Fuse.Lookup(NodeId.Root, "absent"u8);
            }
        }

        using HttpClient client = new();
        string text = await client.GetStringAsync($"http://127.0.0.1:{_metrics}/metrics");
        ChildResult checking = ChildProcess.Run("promtool", ["check", "metrics"], text);
        Assert.True(checking.ExitCode == 0, checking.Output + checking.Errors);
        MetricsText metrics = new(text);
        Assert.Equal(Lookups, metrics.Sum("coherency_fuse_requests_total", "coherency_guest=\"b\"", "fuse_operation=\"LOOKUP\""));
        Assert.Equal(
            Lookups, metrics.Sum("coherency_fuse_request_duration_seconds_count", "coherency_guest=\"b\"", "fuse_operation=\"LOOKUP\""));
        Assert.Contains(metrics.Names, name => name.StartsWith("dotnet_gc_", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Category", "Vm")]
    public async Task A_virtual_machine_with_the_module_sees_at_once_what_another_guest_changes()
    {
        string mount = TwoGuests.MountPoint;
        File.WriteAllText(Path.Combine(_share, "file"), "text");
        await using VirtualMachine guest = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = "a",
            Image = VirtualMachineImage.Stable,
            WorkFolder = _work.FullName,
            DaemonSocket = SocketOf("a"),
            Tag = SharingDaemon.Tag,
            TableFile = TableOf("a"),
        });
        await guest.ExpectAsync($"mount -t coherency {SharingDaemon.Tag} {mount}");
        Assert.Equal("text", await guest.ExpectAsync($"cat {mount}/file"));
        using (VirtioFsGuest other = VirtioFsGuest.Connect(SocketOf("b")))
        {
            other.Files.WriteAllBytes("/file", "other text"u8);
        }

        Assert.Equal("other text", await guest.ExpectAsync($"cat {mount}/file"));
        await guest.ExpectAsync($"echo own >{mount}/own && umount {mount}");
        Assert.Equal("own\n", File.ReadAllText(Path.Combine(_share, "own")));
        guest.AssertKernelIsSound();
    }

    private static string PageFolder => Path.Combine(Repository.Root, "Coherency.Daemon", "Dashboard", "Page");

    private string SocketOf(string guest) => Path.Combine(_work.FullName, $"{guest}.sock");

    private string TableOf(string guest) => SocketOf(guest) + ".table";
}
